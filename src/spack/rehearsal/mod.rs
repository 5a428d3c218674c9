//! What Spack's commands would do, found out for a plan without doing it. Solving is done for real, on copies of the
//! environment's files, with Spack's caches beside; the rest follows from the lock, the database and mirrors. Who
//! runs Spack does not know this room: it is handed in.
//!
//! ```text
//! installs → solving → { arrivals, environments, inputs, pushes } →
//! { command, history, database_edit, scratch }
//! ```

mod arrivals;
pub mod command;
mod database_edit;
mod environments;
mod history;
mod inputs;
mod installs;
mod pushes;
mod scratch;
mod solving;

use std::sync::Arc;

use crate::base::Result;
use crate::site::Cx;
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::Scope;
use crate::spack::drive::verbs::verb_at;
use crate::spack::rehearsal::command::{Command, ended};
use crate::world::Effect;
use crate::world::proc::program::{Program, Ran};
use crate::world::seam::scene::{PlanContext, Rehearsal};

pub use inputs::look_again;

/// The rehearsal of one invocation.
pub fn of(cx: &Cx, scope: &Scope, invocation: &Invocation) -> Rehearsal {
    let (cx, scope, invocation) = (cx.clone(), scope.clone(), invocation.clone());
    Rehearsal(Arc::new(move |scene, program| {
        let (cx, scope, invocation) = (cx.clone(), scope.clone(), invocation.clone());
        Box::pin(async move { rehearse(scene, &cx, &scope, &invocation, program).await })
    }))
}

async fn rehearse(
    scene: &PlanContext<'_>,
    cx: &Cx,
    scope: &Scope,
    invocation: &Invocation,
    program: Program,
) -> Result<Ran> {
    inputs::note(cx, scope)?;
    if invocation.effect == Effect::Reads {
        let program = scratch::aside(scene, cx, scope, program)?;
        return scene.run(program).await;
    }
    let at = verb_at(&invocation.words).unwrap_or(0);
    let words = invocation.words.get(at + 1..).unwrap_or_default();
    let command = Command { cx, scope, invocation, words };
    let verb = invocation.words.get(at).map_or("", String::as_str);
    let second = words.first().map_or("", String::as_str);
    match (verb, second, scope.environment.is_some()) {
        ("add", _, true) => environments::add(scene, &command),
        ("remove", _, true) => environments::remove(scene, &command),
        ("concretize", _, true) => solving::concretize(scene, &command, program).await,
        ("install", _, true) => installs::inside(scene, &command, program).await,
        ("install", _, false) => installs::outside(scene, &command).await,
        ("uninstall" | "gc", _, _) if !invocation.removes.is_empty() => installs::removed(scene, &command),
        ("mark", _, _) => installs::marked(scene, &command),
        // Made of what is installed; what is in it is not predicted.
        ("env", "view", true) | ("module", _, _) => Ok(ended(0, "")),
        ("env", "track", false) => environments::track(scene, &command),
        ("env", "untrack", false) => environments::untrack(scene, &command),
        ("buildcache", "push", _) if !invocation.touches.is_empty() => pushes::push(scene, &command),
        ("env", "create", false) => environments::create(scene, &command),
        ("env", "remove" | "rm", false) => environments::delete(scene, &command),
        _ => {
            scene.assume("the command ends well; what it changes is not known");
            Ok(ended(0, ""))
        }
    }
}

//! Concretizing an environment on a copy of it: the solver is Spack's own, and the lock that it writes is the one
//! that the plan goes on with.

use super::{arrivals, scratch};
use crate::base::{Kind, Result};
use crate::spack::lock::contents::LockContents;
use crate::spack::rehearsal::command::Command;
use crate::world::Eyes as _;
use crate::world::fs::eyes::LiveEyes;
use crate::world::proc::program::{Program, Ran};
use crate::world::seam::predicted::{Effect, EnvironmentTouched, SpecEffect};
use crate::world::seam::scene::PlanContext;

pub async fn concretize(scene: &PlanContext<'_>, command: &Command<'_>, program: Program) -> Result<Ran> {
    let environment = command.scope.inside()?;
    let eyes = &*command.cx.world.eyes;
    let before = LockContents::of_environment(eyes, environment)?.unwrap_or_default();
    let ran = solve(scene, command, program).await?;
    if !ran.ok() {
        return Ok(ran);
    }
    let after = LockContents::of_environment(eyes, environment)?.unwrap_or_default();
    let effects = changes(command, &before, &after)?;
    if before.specs.keys().ne(after.specs.keys()) {
        let name = environment.name.clone();
        let changed = vec!["lock".to_owned()];
        scene.detail("environments", [EnvironmentTouched { name, changed, ..EnvironmentTouched::default() }]);
    }
    scene.detail("specs", effects);
    Ok(ran)
}

/// Runs the solver on a copy and pretends the lock that it wrote.
pub async fn solve(scene: &PlanContext<'_>, command: &Command<'_>, program: Program) -> Result<Ran> {
    let environment = command.scope.inside()?;
    let folder = scratch::environment_copy(scene, command.cx, &environment.path)?;
    if scope_develops(command) {
        scene.assume("specs under development are solved from a copy: their hashes may differ");
    }
    let ran = scene.run(scratch::aside(scene, command.cx, command.scope, program)?).await?;
    if ran.ok() {
        match LiveEyes.read(&folder.join("spack.lock")) {
            Ok(lock) => scene.overlay.write(&environment.lock_file(), lock, None),
            Err(trouble) if trouble.is(Kind::NotFound) => {}
            Err(trouble) => return Err(trouble),
        }
        command.scope.spack.forget();
    }
    Ok(ran)
}

fn scope_develops(command: &Command<'_>) -> bool {
    let manifest =
        crate::spack::environment::manifest::Manifest::read(&*command.cx.world.eyes, &command.scope.config);
    manifest.is_ok_and(|m| !m.develop.is_empty())
}

/// What differs between two locks, without installing anything.
fn changes(command: &Command<'_>, before: &LockContents, after: &LockContents) -> Result<Vec<SpecEffect>> {
    let env = Some(command.scope.inside()?.name.clone());
    let mut out = Vec::new();
    for row in before.specs.values().filter(|row| !after.specs.contains_key(&row.hash)) {
        // What only made place for another version is told there.
        if !after.specs.values().any(|new| new.name == row.name) {
            out.push(SpecEffect { env: env.clone(), ..arrivals::bare(row, Effect::Removed) });
        }
    }
    for row in after.specs.values() {
        let effect = arrivals::effect_of(row, before);
        let replaces = arrivals::replaced(row, before);
        out.push(SpecEffect { env: env.clone(), replaces, ..arrivals::bare(row, effect) });
    }
    Ok(out)
}

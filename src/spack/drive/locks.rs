//! Keeps two moonstacks from changing one environment or one store at the same time. Spack's own locks do not
//! cover a whole command (contract 5.5), and one command is not all that belongs together: who holds an environment
//! keeps it between its calls as well.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::base::{Kind, Result};
use crate::site::Cx;
use crate::world::fs::real::real_path;
use crate::world::state::own_lock::{self, OwnLock};

use super::session::Scope;

/// An environment that is this process's own for as long as this lives.
pub struct Hold {
    _lock: Option<OwnLock>,
}

/// What this process holds.
#[derive(Default)]
struct Holds {
    now: Mutex<BTreeMap<PathBuf, Weak<Hold>>>,
    /// … until it ends.
    to_the_end: Mutex<Vec<Arc<Hold>>>,
}

/// The turn of one call.
pub struct Turn {
    _hold: Option<Arc<Hold>>,
    _lock: Option<OwnLock>,
}

/// Locks the environment of the scope, or the store outside of environments.
pub async fn changing(cx: &Cx, scope: &Scope) -> Result<Turn> {
    let Some(environment) = &scope.environment else {
        return Ok(Turn { _hold: None, _lock: store(cx, scope).await? });
    };
    let path = real_path(&*cx.world.eyes, &environment.path);
    let hold = taken(cx, path.clone(), false).await?;
    let lock = named(cx, &format!("environment {}", path.display())).await?;
    Ok(Turn { _hold: Some(hold), _lock: lock })
}

/// Holds the environment of the scope over several calls; other moonstacks wait, those of this one do not.
pub async fn hold(cx: &Cx, scope: &Scope) -> Result<Arc<Hold>> {
    taken(cx, real_path(&*cx.world.eyes, &scope.inside()?.path), true).await
}

/// The same until this process ends.
pub async fn hold_to_the_end(cx: &Cx, scope: &Scope) -> Result<()> {
    let hold = hold(cx, scope).await?;
    let holds = cx.keep(|_| Ok(Holds::default()))?;
    holds.to_the_end.lock().unwrap_or_else(PoisonError::into_inner).push(hold);
    Ok(())
}

async fn taken(cx: &Cx, environment: PathBuf, others_pass: bool) -> Result<Arc<Hold>> {
    let holds = cx.keep(|_| Ok(Holds::default()))?;
    let known =
        holds.now.lock().unwrap_or_else(PoisonError::into_inner).get(&environment).and_then(Weak::upgrade);
    if let Some(known) = known {
        return Ok(known);
    }
    let what = format!("environment {}", environment.display());
    let name = format!("hold {what}");
    let hold = Arc::new(Hold { _lock: lock(cx, &name, &what, cx.site.lock_limit()).await? });
    if others_pass {
        let mut now = holds.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.insert(environment, Arc::downgrade(&hold));
    }
    Ok(hold)
}

/// Locks the store: whoever writes to it takes a turn.
pub async fn store(cx: &Cx, scope: &Scope) -> Result<Option<OwnLock>> {
    named(cx, &format!("store {}", real_path(&*cx.world.eyes, &scope.install_tree()?.root).display())).await
}

/// Locks a thing by its name. Whoever has another state folder and the same stack takes turns, too.
pub async fn named(cx: &Cx, what: &str) -> Result<Option<OwnLock>> {
    named_within(cx, what, cx.site.lock_limit()).await
}

/// The same without waiting for longer.
pub async fn named_within(cx: &Cx, what: &str, patience: Duration) -> Result<Option<OwnLock>> {
    lock(cx, what, what, patience).await
}

/// Locks a thing of the state folder.
pub async fn of_state(cx: &Cx, what: &str) -> Result<Option<OwnLock>> {
    had(cx, own_lock::place(&cx.site.state, what), what, cx.site.lock_limit()).await
}

/// The lock of that name, beside the stack. Who may write nothing there changes no stack either, and has locks of their
/// own.
async fn lock(cx: &Cx, name: &str, what: &str, patience: Duration) -> Result<Option<OwnLock>> {
    let (stack, state) = (cx.site.stack(), &cx.site.state);
    match had(cx, own_lock::place(&stack, name), what, patience).await {
        Err(trouble) if trouble.is(Kind::Permission) && stack != *state => {
            had(cx, own_lock::place(state, name), what, patience).await
        }
        other => other,
    }
}

async fn had(cx: &Cx, path: PathBuf, what: &str, patience: Duration) -> Result<Option<OwnLock>> {
    let lock = cx.world.hands.lock(path, what, patience).await?;
    if let Some(stale) = lock.as_ref().and_then(|l| l.stale.as_ref()) {
        cx.world.warn(format!("{what}: {stale} ended without giving its lock back"));
    }
    Ok(lock)
}

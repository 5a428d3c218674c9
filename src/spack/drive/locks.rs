//! Keeps two moonstacks from changing one environment or one store at the same time. Spack's own locks do not
//! cover a whole command (contract 5.5), and one command is not all that belongs together: who holds an environment
//! keeps it between its calls as well.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::base::Result;
use crate::site::Cx;
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
    let hold = taken(cx, environment.path.clone(), false).await?;
    let lock = named(cx, &format!("environment {}", environment.path.display())).await?;
    Ok(Turn { _hold: Some(hold), _lock: lock })
}

/// Holds the environment of the scope over several calls; other moonstacks wait, those of this one do not.
pub async fn hold(cx: &Cx, scope: &Scope) -> Result<Arc<Hold>> {
    taken(cx, scope.inside()?.path.clone(), true).await
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
    let path = own_lock::place(&cx.site.state, &format!("hold {what}"));
    let hold = Arc::new(Hold { _lock: lock(cx, path, &what).await? });
    if others_pass {
        let mut now = holds.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.insert(environment, Arc::downgrade(&hold));
    }
    Ok(hold)
}

/// Locks the store: whoever writes to it takes a turn.
pub async fn store(cx: &Cx, scope: &Scope) -> Result<Option<OwnLock>> {
    named(cx, &format!("store {}", scope.install_tree()?.root.display())).await
}

/// Locks a thing by its name.
pub async fn named(cx: &Cx, what: &str) -> Result<Option<OwnLock>> {
    lock(cx, own_lock::place(&cx.site.state, what), what).await
}

async fn lock(cx: &Cx, path: PathBuf, what: &str) -> Result<Option<OwnLock>> {
    let lock = cx.world.hands.lock(path, what, cx.site.lock_limit()).await?;
    if let Some(stale) = lock.as_ref().and_then(|l| l.stale.as_ref()) {
        cx.world.warn(format!("{what}: {stale} ended without giving its lock back"));
    }
    Ok(lock)
}

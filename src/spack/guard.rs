//! Keeps two moonstacks from changing one environment or one store at the same time. Spack's own locks do not
//! cover a whole command (contract 5.5).

use crate::base::Result;
use crate::site::Cx;
use crate::world::own_lock::{self, OwnLock};

use super::session::Scope;

/// Locks the environment of the scope, or the store outside of environments.
pub async fn changing(cx: &Cx, scope: &Scope) -> Result<Option<OwnLock>> {
    let Some(environment) = &scope.environment else { return store(cx, scope).await };
    named(cx, &format!("environment {}", environment.path.display())).await
}

/// Locks the store: whoever writes to it takes a turn.
pub async fn store(cx: &Cx, scope: &Scope) -> Result<Option<OwnLock>> {
    named(cx, &format!("store {}", scope.install_tree()?.root.display())).await
}

/// Locks a thing by its name.
pub async fn named(cx: &Cx, what: &str) -> Result<Option<OwnLock>> {
    let path = own_lock::place(&cx.site.state, what);
    let lock = cx.world.hands.lock(path, what, cx.site.lock_limit()).await?;
    if let Some(stale) = lock.as_ref().and_then(|l| l.stale.as_ref()) {
        cx.world.warn(format!("{what}: {stale} ended without giving its lock back"));
    }
    Ok(lock)
}

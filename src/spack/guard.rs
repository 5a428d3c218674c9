//! Keeps two moonstacks from changing one environment or one store at the same time. Spack's own locks do not
//! cover a whole command (contract 5.5).

use crate::base::{Result, digest};
use crate::site::Cx;
use crate::world::lock::{self, OwnLock};

use super::session::Scope;

/// Locks the environment of the scope, or the store outside of environments.
pub async fn changing(cx: &Cx, scope: &Scope) -> Result<OwnLock> {
    let Some(environment) = &scope.environment else { return store(cx, scope).await };
    let what = format!("environment {}", environment.path.display());
    named(cx, &what).await.map_err(|t| t.about(what))
}

/// Locks the store.
pub async fn store(cx: &Cx, scope: &Scope) -> Result<OwnLock> {
    let what = format!("store {}", scope.install_tree()?.root.display());
    named(cx, &what).await.map_err(|t| t.about(what))
}

/// Locks a thing by its name.
pub async fn named(cx: &Cx, what: &str) -> Result<OwnLock> {
    let digest = digest::bytes(what.as_bytes());
    let short = digest.get(..16).unwrap_or(&digest);
    lock::own(&cx.site.state.join("locks").join(format!("{short}.lock")), cx.site.lock_limit()).await
}

//! The lock of an environment around a change: what it asked for before and after, and a warning before a newer
//! Spack rewrites it in a format that the older one cannot read.

use std::path::Path;

use super::env_diff::{ByName, by_name};
use super::lockfile::LockfileText;
use super::session::Scope;
use crate::base::Result;
use crate::site::Cx;
use crate::world::Event;
use crate::world::event::Level;

/// The specs in the lock; none while it was never concretized.
pub fn contents(cx: &Cx, scope: &Scope) -> Result<ByName> {
    match LockfileText::of(cx, scope.inside()?)? {
        Some(text) => by_name(&text.parse()?),
        None => Ok(ByName::new()),
    }
}

/// Any command that writes an environment upgrades its lock without asking, and leaves no copy (contract 3.4).
pub fn warn_of_upgrade(cx: &Cx, scope: &Scope) -> Result<()> {
    let environment = scope.inside()?;
    let Some(text) = LockfileText::of(cx, environment)? else { return Ok(()) };
    let lock = text.parse()?;
    let writes = u64::from(scope.spack.installation.release.abilities().lockfile_version);
    if lock.version < writes {
        let text = format!(
            "this Spack rewrites {} from version {} to {writes}; the Spack that wrote it cannot read it then",
            shown(&environment.lock_file()),
            lock.version,
        );
        cx.world.tell(Event::Message { level: Level::Warn, text, fields: serde_json::Map::new() });
    }
    Ok(())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

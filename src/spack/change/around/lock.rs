//! The lock of an environment around a change: what it asked for before and after, and a warning before a newer
//! Spack rewrites it in a format that the older one cannot read.

use std::path::{Path, PathBuf};

use crate::base::Result;
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::lock::diff;
use crate::spack::lock::diff::rows::LockDiff;
use crate::spack::lock::lockfile::LockfileText;
use crate::world::Event;
use crate::world::scope::event::Level;

/// The lock as it is; none while it was never concretized.
pub fn text(cx: &Cx, scope: &Scope) -> Result<Option<LockfileText>> {
    LockfileText::of(cx, scope.inside()?)
}

/// What came of a change. An environment that has nothing concrete any more has no lock.
pub fn changes(before: Option<&LockfileText>, after: Option<&LockfileText>) -> Result<LockDiff> {
    match (before, after) {
        (Some(before), Some(after)) => diff::of_texts(before, after),
        (None, Some(after)) => diff::of_new(&after.parse()?),
        (Some(before), None) => diff::of_part(&before.parse()?, |_| false),
        (None, None) => Ok(LockDiff::default()),
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

/// The files of an environment that a command may change which changes what it asks for. What only solves or installs
/// leaves the manifest as it is; a resumed run must be able to tell that somebody else has changed it.
pub fn touched(scope: &Scope) -> Result<Vec<PathBuf>> {
    let environment = scope.inside()?;
    Ok(vec![environment.manifest_file(), environment.lock_file()])
}

//! Real copies in a scratch folder, for real programs that a plan lets work on them.

use std::path::Path;

use crate::base::{Result, Trouble};

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Trouble::io("create", folder, e))?;
    }
    std::fs::write(path, bytes).map_err(|e| Trouble::io("write", path, e))
}

/// Sees to it that there is nothing.
pub fn absent(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Trouble::io("remove", path, e)),
        _ => Ok(()),
    }
}

/// A tree whose files are hard links, or copies where the file system is another. A source that is not there gives
/// an empty folder.
pub fn linked(from: &Path, to: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<()> {
    std::fs::create_dir_all(to).map_err(|e| Trouble::io("create", to, e))?;
    let walk = walkdir::WalkDir::new(from)
        .min_depth(1)
        .into_iter()
        .filter_entry(|e| wanted(&e.file_name().to_string_lossy()));
    for entry in walk.flatten() {
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        let done = if entry.file_type().is_dir() {
            std::fs::create_dir_all(&target)
        } else if entry.file_type().is_file() {
            std::fs::hard_link(entry.path(), &target)
                .or_else(|_| std::fs::copy(entry.path(), &target).map(drop))
        } else {
            Ok(())
        };
        match done {
            // Somebody else renews the cache meanwhile.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            other => other.map_err(|e| Trouble::io("copy to", &target, e))?,
        }
    }
    Ok(())
}

/// A folder whose entries point to the real ones, but for those that are named.
pub fn pointed(from: &Path, to: &Path, but: &[&str]) -> Result<()> {
    std::fs::create_dir_all(to).map_err(|e| Trouble::io("create", to, e))?;
    let Ok(entries) = std::fs::read_dir(from) else { return Ok(()) };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let target = to.join(&name);
        if but.iter().any(|b| name == *b) || target.symlink_metadata().is_ok() {
            continue;
        }
        std::os::unix::fs::symlink(entry.path(), &target).map_err(|e| Trouble::io("create", &target, e))?;
    }
    Ok(())
}

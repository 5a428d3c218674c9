//! Prefixes that no record knows: what an installation leaves behind that failed or was killed. They are
//! reported, never registered: `spack reindex` would take them for installed (contract 2.8).

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use data_encoding::BASE32_NOPAD;

use super::session::Scope;
use super::stores::Stores;
use crate::base::Result;
use crate::site::Cx;
use crate::world::Eyes;
use crate::world::eyes::FileKind;
use crate::world::lock::{self, Holder, Mode};

/// Projections are not deeper than this; a tree that is was not made by Spack.
const DEEPEST: usize = 8;

/// Prefixes without a record that nobody is building now.
pub fn partial_prefixes(cx: &Cx, scope: &Scope) -> Result<Vec<String>> {
    let root = scope.install_tree()?.root;
    let eyes = &*cx.world.eyes;
    if !eyes.is_folder(&root) {
        return Ok(Vec::new());
    }
    scope.with_stores(cx, |stores, _| Ok(among(eyes, &root, stores)))
}

fn among(eyes: &dyn Eyes, root: &Path, stores: &Stores<'_>) -> Vec<String> {
    let known: HashSet<PathBuf> = stores
        .databases()
        .iter()
        .flat_map(super::database::Database::records)
        .filter_map(|record| record.path.as_ref().map(|path| PathBuf::from(path.to_string())))
        .collect();
    let held = lock::holders(&root.join(".spack-db/prefix_lock")).unwrap_or_default();
    let mut found = Vec::new();
    walk(eyes, root, &known, 0, &mut found);
    found.retain(|path| !being_built(path, &held));
    found.into_iter().map(|path| path.display().to_string()).collect()
}

fn walk(eyes: &dyn Eyes, folder: &Path, known: &HashSet<PathBuf>, depth: usize, found: &mut Vec<PathBuf>) {
    // A folder that cannot be listed hides what is in it; this is a report, not a judgement.
    for name in eyes.list(folder).unwrap_or_default() {
        let path = folder.join(&name);
        let is_folder = || eyes.lstat(&path).is_ok_and(|s| s.kind == FileKind::Folder);
        if (depth == 0 && (name.starts_with('.') || name == "bin" || name == "gpg"))
            || known.contains(&path)
            || !is_folder()
        {
            continue;
        }
        if eyes.is_folder(&path.join(".spack")) {
            found.push(path);
        } else if depth < DEEPEST {
            walk(eyes, &path, known, depth + 1, found);
        }
    }
}

/// Whether somebody holds the prefix's lock for writing; its place follows from the hash (contract 2.5).
fn being_built(prefix: &Path, held: &[Holder]) -> bool {
    let name = prefix.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let offset = name.get(name.len().saturating_sub(32)..).and_then(lock_offset);
    held.iter().filter(|h| h.mode == Mode::Write).any(|holder| {
        let range = holder.range;
        let covers = |at: i64| at >= range.start && (range.length == 0 || at - range.start < range.length);
        offset.is_none_or(covers)
    })
}

/// The byte of `prefix_lock` that stands for a hash.
pub fn lock_offset(hash: &str) -> Option<i64> {
    let bytes = BASE32_NOPAD.decode(hash.to_ascii_uppercase().as_bytes()).ok()?;
    let first: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    i64::try_from(u64::from_be_bytes(first) >> 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::eyes::LiveEyes;

    #[test]
    fn a_prefix_without_a_record_is_found_unless_it_is_being_built() {
        let dir = tempfile::tempdir().unwrap();
        let hash = "gwnt2rdwxkzskhftc6y3cqkdnkcwsnbz";
        let prefix = dir.path().join(format!("linux-x86_64/left-1.0-{hash}"));
        std::fs::create_dir_all(prefix.join(".spack")).unwrap();
        std::fs::create_dir_all(dir.path().join("linux-x86_64/known-1.0/.spack")).unwrap();
        let known = HashSet::from([dir.path().join("linux-x86_64/known-1.0")]);
        let mut found = Vec::new();
        walk(&LiveEyes, dir.path(), &known, 0, &mut found);
        assert_eq!(found, std::slice::from_ref(&prefix));
        let offset = lock_offset(hash).unwrap();
        let holder = |start| Holder { mode: Mode::Write, range: lock::Range { start, length: 1 }, pid: 1 };
        assert!(being_built(&prefix, &[holder(offset)]));
        assert!(!being_built(&prefix, &[holder(offset + 1)]));
        let whole = Holder { range: lock::Range::WHOLE, ..holder(0) };
        assert!(being_built(&prefix, &[whole]));
    }
}

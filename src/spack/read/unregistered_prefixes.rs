//! Prefixes that no record knows: what an installation leaves behind that failed or was killed. They are
//! reported, never registered: `spack reindex` would take them for installed (contract 2.8).

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use data_encoding::BASE32_NOPAD;

use crate::base::Result;
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::store::database::{Database, Record};
use crate::spack::store::stores::Stores;
use crate::world::Eyes;
use crate::world::fs::eyes::FileKind;
use crate::world::fs::lock::{self, Holder, Mode};
use crate::world::fs::real::{RealPaths, real_path};

/// Levels below the store at which a prefix is looked for.
const DEPTH: usize = 8;

/// Prefixes without a record that nobody is building now.
pub fn partial_prefixes(cx: &Cx, scope: &Scope) -> Result<Vec<String>> {
    let root = scope.install_tree()?.root;
    let eyes = &*cx.world.eyes;
    if !eyes.is_folder(&root)? {
        return Ok(Vec::new());
    }
    scope.with_stores(cx, |stores, _| Ok(among(eyes, &root, stores)))
}

fn among(eyes: &dyn Eyes, root: &Path, stores: &Stores<'_>) -> Vec<String> {
    let records = stores.databases().iter().flat_map(Database::records);
    let held = lock::holders(&root.join(".spack-db/prefix_lock")).unwrap_or_default();
    let found = strays(eyes, root, records, &held).unknown;
    found.into_iter().map(|path| path.display().to_string()).collect()
}

/// Prefixes below a store's root that are where no record says.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// No record has them.
    pub unknown: Vec<PathBuf>,
    /// What is in them is on record as installed, in a place that is not there: the store was moved.
    pub moved: Vec<PathBuf>,
}

/// Finds them, without those that somebody builds at the moment. A prefix is known by what it is, however the store is
/// written here and on record: through links, or mounted a second time.
pub fn strays<'r, 'a: 'r>(
    eyes: &dyn Eyes,
    root: &Path,
    records: impl IntoIterator<Item = &'r Record<'a>>,
    held: &[Holder],
) -> Strays {
    let mut real = RealPaths::new(eyes);
    let (mut known, mut installed) = (HashSet::new(), HashMap::new());
    for record in records {
        let Some(path) = record.path.as_deref().map(Path::new) else { continue };
        known.insert(real.entry(path));
        if record.installed {
            installed.insert(record.hash, path);
        }
    }
    let real_root = real_path(eyes, root);
    let mut walk = Walk::new(eyes, &known, &real_root);
    walk.folder(&real_root, DEPTH);
    let mut out = Strays::default();
    for prefix in walk.found {
        let hash = hash_of(eyes, &prefix);
        let shown = prefix.strip_prefix(&real_root).map_or_else(|_| prefix.clone(), |below| root.join(below));
        match hash.as_deref().and_then(|hash| installed.get(hash)) {
            Some(recorded) if is_one(eyes, recorded, &prefix) => {}
            Some(recorded) if eyes.exists(recorded).is_err() => {}
            Some(recorded) if eyes.exists(recorded).is_ok_and(|there| !there) => out.moved.push(shown),
            _ if hash.is_some_and(|hash| is_held(held, &hash)) => {}
            _ => out.unknown.push(shown),
        }
    }
    out
}

/// Two names of one folder, as where a file system is mounted twice.
fn is_one(eyes: &dyn Eyes, a: &Path, b: &Path) -> bool {
    let (Ok(a), Ok(b)) = (eyes.stat(a), eyes.stat(b)) else { return false };
    (a.device, a.inode) == (b.device, b.inode)
}

/// Whether somebody holds a prefix's lock for writing: it is being built, or removed.
pub fn is_held(holders: &[Holder], hash: &str) -> bool {
    let Some(at) = lock_offset(hash) else { return false };
    holders.iter().any(|h| {
        let end = if h.range.length == 0 { i64::MAX } else { h.range.start.saturating_add(h.range.length) };
        h.mode == Mode::Write && (h.range.start..end).contains(&at)
    })
}

/// The byte that stands for a hash in `prefix_lock` and `prefix_failures`: its first 63 bits (contract 2.5).
pub fn lock_offset(hash: &str) -> Option<i64> {
    let bytes = BASE32_NOPAD.decode(hash.to_ascii_uppercase().as_bytes()).ok()?;
    let first: [u8; 8] = bytes.get(..8)?.try_into().ok()?;
    i64::try_from(u64::from_be_bytes(first) >> 1).ok()
}

/// The hash that a prefix states, or that its name ends with.
fn hash_of(eyes: &dyn Eyes, prefix: &Path) -> Option<String> {
    let stated = eyes.read(&prefix.join(".spack/spec.json")).ok();
    let json: Option<serde_json::Value> = stated.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let stated = json.as_ref().and_then(|j| j.pointer("/spec/nodes/0/hash")).and_then(|h| h.as_str());
    let named = || prefix.file_name()?.to_str()?.rsplit('-').next();
    stated.or_else(named).map(str::to_owned)
}

struct Walk<'w> {
    eyes: &'w dyn Eyes,
    known: &'w HashSet<PathBuf>,
    /// Folders that hold a known prefix at some level.
    above: HashSet<&'w Path>,
    /// Folders that hold a known prefix directly.
    parents: HashSet<&'w Path>,
    found: Vec<PathBuf>,
}

impl<'w> Walk<'w> {
    fn new(eyes: &'w dyn Eyes, known: &'w HashSet<PathBuf>, root: &Path) -> Self {
        let inside = known.iter().map(PathBuf::as_path).filter(|p| p.starts_with(root));
        let above = inside.clone().flat_map(|p| p.ancestors().skip(1)).collect();
        let parents = inside.filter_map(Path::parent).collect();
        Walk { eyes, known, above, parents, found: Vec::new() }
    }

    fn folder(&mut self, folder: &Path, depth: usize) {
        let eyes = self.eyes;
        let own = depth == DEPTH;
        for name in eyes.list(folder).unwrap_or_default() {
            // Spack's own: the database, the interpreter hook, temporary names of prefixes.
            if name.starts_with('.') || (own && matches!(name.as_str(), "bin" | "environments" | "gpg")) {
                continue;
            }
            let path = folder.join(&name);
            let real = eyes.lstat(&path).is_ok_and(|s| s.kind == FileKind::Folder);
            if !real || self.known.contains(path.as_path()) {
                continue;
            }
            if eyes.finds_folder(&path.join(".spack")) {
                self.found.push(path);
            } else if self.above.contains(path.as_path()) || !self.parents.contains(folder) {
                if depth > 1 {
                    self.folder(&path, depth - 1);
                }
            } else if eyes.list(&path).is_ok_and(|names| !names.is_empty()) {
                self.found.push(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::store::database::DatabaseText;
    use crate::world::fs::eyes::LiveEyes;

    const HASH: &str = "gwnt2rdwxkzskhftc6y3cqkdnkcwsnbz";

    fn database(path: &Path) -> DatabaseText {
        let text = format!(
            r#"{{"database":{{"version":"8","installs":{{"{hash}":{{"spec":{{"name":"known","version":"1.0","hash":"{hash}"}},
            "path":"{path}","installed":true,"explicit":true,"ref_count":0}}}}}}}}"#,
            hash = "a".repeat(32),
            path = path.display()
        );
        DatabaseText::from_bytes(Path::new("index.json"), text.into_bytes()).unwrap()
    }

    fn prefix(root: &Path, name: &str) -> PathBuf {
        let prefix = root.join("linux-x86_64").join(name);
        std::fs::create_dir_all(prefix.join(".spack")).unwrap();
        prefix
    }

    #[test]
    fn a_prefix_without_a_record_is_found_unless_it_is_being_built() {
        let dir = tempfile::tempdir().unwrap();
        let left = prefix(dir.path(), &format!("left-1.0-{HASH}"));
        let text = database(&prefix(dir.path(), "known-1.0"));
        let known = text.parse().unwrap();
        let found = |held: &[Holder]| strays(&LiveEyes, dir.path(), known.records(), held).unknown;
        let offset = lock_offset(HASH).unwrap();
        let holder = |start| Holder { mode: Mode::Write, range: lock::Range { start, length: 1 }, pid: 1 };
        assert_eq!(found(&[holder(offset + 1)]), std::slice::from_ref(&left));
        assert!(found(&[holder(offset)]).is_empty());
        assert!(found(&[Holder { range: lock::Range::WHOLE, ..holder(0) }]).is_empty());
    }

    #[test]
    fn a_store_through_a_link_is_the_same_store() {
        let dir = tempfile::tempdir().unwrap();
        let (real, link) = (dir.path().join("real"), dir.path().join("link"));
        let left = prefix(&real, &format!("left-1.0-{HASH}"));
        let kept = prefix(&real, &format!("known-1.0-{}", "a".repeat(32)));
        std::os::unix::fs::symlink("real", &link).unwrap();
        let through = link.join("linux-x86_64").join(kept.file_name().unwrap());
        for recorded in [&kept, &through] {
            let text = database(recorded);
            let known = text.parse().unwrap();
            for root in [&real, &link] {
                let found = strays(&LiveEyes, root, known.records(), &[]);
                let shown = root.join("linux-x86_64").join(left.file_name().unwrap());
                assert_eq!(found, Strays { unknown: vec![shown], moved: Vec::new() });
            }
        }
        // What is on record in a place that is not there was moved: nothing that anybody may remove.
        let text = database(Path::new("/not/there/known-1.0"));
        let found = strays(&LiveEyes, &real, text.parse().unwrap().records(), &[]);
        assert_eq!(found, Strays { unknown: vec![left], moved: vec![kept] });
    }

    #[test]
    fn the_offset_is_the_first_63_bits() {
        assert_eq!(lock_offset(&"a".repeat(32)), Some(0));
        assert_eq!(lock_offset(&"7".repeat(32)), Some(i64::MAX));
        // The fifth bit pattern: 'b' is 00001, so bit 59 of the first 64 is set, halved.
        assert_eq!(lock_offset(&format!("b{}", "a".repeat(31))), Some(1 << 58));
        for bad in ["", "abc", "not a hash, but of thirty-two ch"] {
            assert_eq!(lock_offset(bad), None);
        }
    }
}

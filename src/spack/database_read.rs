//! Gets the bytes of an index file: under Spack's own read lock, and where there can be none, by reading
//! until nothing moved meanwhile.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::base::{Kind, Result, Trouble};
use crate::world::Eyes;
use crate::world::eyes::FileKind;
use crate::world::lock::{self, Mode, Range};

use super::database::DatabaseText;

/// How often a read without a lock is tried again.
const ATTEMPTS: u32 = 5;

impl DatabaseText {
    /// The database of a store, waiting `patience` for writers. A store without an index is empty, if nothing
    /// is installed in it.
    pub fn read(eyes: &dyn Eyes, root: &Path, patience: Duration) -> Result<Self> {
        let folder = root.join(".spack-db");
        let index = folder.join("index.json");
        if !eyes.exists(&index) {
            return absent(eyes, root, &index);
        }
        let held = lock::lock(&folder.join("lock"), Mode::Read, Range::WHOLE, patience)?;
        if held.is_some() {
            return DatabaseText::from_bytes(&index, eyes.read(&index)?);
        }
        DatabaseText::read_unlocked(eyes, root)
    }

    /// Without a lock, as Spack reads upstreams: what was read is taken only if nothing moved meanwhile.
    pub fn read_unlocked(eyes: &dyn Eyes, root: &Path) -> Result<Self> {
        let folder = root.join(".spack-db");
        let index = folder.join("index.json");
        for attempt in 0..ATTEMPTS {
            if !eyes.exists(&index) {
                return absent(eyes, root, &index);
            }
            let before = Mark::of(eyes, &folder)?;
            let bytes = eyes.read(&index)?;
            let after = Mark::of(eyes, &folder)?;
            if before == after && after.size == bytes.len() as u64 {
                return DatabaseText::from_bytes(&index, bytes);
            }
            std::thread::sleep(Duration::from_millis(20 << attempt));
        }
        Err(Trouble::new(
            Kind::Busy,
            format!("{} changes while it is read, and it cannot be locked", index.display()),
        )
        .hint("wait until the installation that is running has ended")
        .fact("path", index.display().to_string())
        .retryable())
    }
}

/// How many folders are looked into for a prefix, and how deep; projections are seldom deeper than this.
const FOLDERS: usize = 2000;
const DEPTH: usize = 6;

/// A store without an index: a new one is empty, but one with prefixes has lost it, and "nothing is installed"
/// would be a lie.
fn absent(eyes: &dyn Eyes, root: &Path, index: &Path) -> Result<DatabaseText> {
    let Some(prefix) = any_prefix(eyes, root) else { return Ok(DatabaseText::empty(index)) };
    Err(Trouble::new(
        Kind::Corrupt,
        format!("{} is missing, although packages are installed in {}", index.display(), root.display()),
    )
    .hint("restore it from a backup, or let `spack reindex` build it again from the prefixes")
    .fact("path", index.display().to_string())
    .fact("prefix", prefix.display().to_string()))
}

/// The first folder below `root` that Spack has installed something into.
fn any_prefix(eyes: &dyn Eyes, root: &Path) -> Option<PathBuf> {
    let mut queue = VecDeque::from([(root.to_owned(), 0)]);
    for _ in 0..FOLDERS {
        let (folder, depth) = queue.pop_front()?;
        if eyes.exists(&folder.join(".spack/spec.json")) {
            return Some(folder);
        }
        if depth < DEPTH {
            let names = eyes.list(&folder).unwrap_or_default().into_iter().filter(|n| !n.starts_with('.'));
            let below = names.map(|name| folder.join(name));
            queue.extend(
                below
                    .filter(|p| eyes.lstat(p).is_ok_and(|s| s.kind == FileKind::Folder))
                    .map(|p| (p, depth + 1)),
            );
        }
    }
    None
}

/// What changes when somebody writes the index.
#[derive(PartialEq)]
struct Mark {
    verifier: Vec<u8>,
    size: u64,
    modified: SystemTime,
    inode: u64,
    device: u64,
}

impl Mark {
    fn of(eyes: &dyn Eyes, folder: &Path) -> Result<Mark> {
        let stat = eyes.stat(&folder.join("index.json"))?;
        let verifier = folder.join("index_verifier");
        let verifier = if eyes.exists(&verifier) { eyes.read(&verifier)? } else { Vec::new() };
        Ok(Mark {
            verifier,
            size: stat.size,
            modified: stat.modified,
            inode: stat.inode,
            device: stat.device,
        })
    }
}

//! Gets the bytes of an index file: under Spack's own read lock, and where there can be none, by reading
//! until nothing moved meanwhile. Only a store in which nothing is installed may do without.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::{Kind, Result, Trouble};
use crate::world::Eyes;
use crate::world::fs::eyes::FileKind;
use crate::world::fs::lock::{self, Mode, Range};

use super::DatabaseText;
use super::mark::{Mark, if_there};

/// How often a read without a lock is tried again.
const ATTEMPTS: u32 = 5;
/// Prefixes are looked for so deep below the root of a store, and in so many folders.
const DEPTH: usize = 5;
const FOLDERS: usize = 2000;

impl DatabaseText {
    /// The database of a store, waiting `patience` for writers. A store without an index is empty.
    pub fn read(eyes: &dyn Eyes, root: &Path, patience: Duration) -> Result<Self> {
        let folder = root.join(".spack-db");
        let index = folder.join("index.json");
        let held = lock::lock(&folder.join("lock"), Mode::Read, Range::WHOLE, patience)?;
        if held.is_none() {
            return DatabaseText::read_unlocked(eyes, root);
        }
        match if_there(&index, eyes, eyes.read(&index))? {
            Some(bytes) => DatabaseText::from_bytes(&index, bytes),
            None => without_index(eyes, root, &index),
        }
    }

    /// Without a lock, as Spack reads upstreams: what was read is taken only if nothing moved meanwhile.
    pub fn read_unlocked(eyes: &dyn Eyes, root: &Path) -> Result<Self> {
        let folder = root.join(".spack-db");
        let index = folder.join("index.json");
        for attempt in 0..ATTEMPTS {
            let Some(before) = if_there(&index, eyes, Mark::of(eyes, &folder))? else {
                return without_index(eyes, root, &index);
            };
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

/// What there is of an upstream.
pub enum UpstreamText {
    Read(DatabaseText),
    /// It cannot be had, and why. Spack warns, and takes what is installed there for missing.
    Unreachable(Trouble),
}

impl UpstreamText {
    /// Only what cannot be had is done without: a database that is damaged, or of a version that nobody here reads, is
    /// an error, as it is for Spack.
    pub fn read(eyes: &dyn Eyes, root: &Path) -> Result<UpstreamText> {
        let index = root.join(".spack-db/index.json");
        match DatabaseText::read_unlocked(eyes, root) {
            Ok(text) if text.is_absent() => Ok(UpstreamText::Unreachable(Trouble::new(
                Kind::NotFound,
                format!("there is no {}", index.display()),
            ))),
            Ok(text) => Ok(UpstreamText::Read(text)),
            Err(trouble)
                if matches!(trouble.kind(), Kind::NotFound | Kind::Permission | Kind::Io)
                    || !eyes.exists(&index).unwrap_or(false) =>
            {
                Ok(UpstreamText::Unreachable(trouble))
            }
            Err(trouble) => Err(trouble),
        }
    }
}

/// A store without an index: nothing was installed into it, or the index was lost.
fn without_index(eyes: &dyn Eyes, root: &Path, index: &Path) -> Result<DatabaseText> {
    // The first installation of all is under way.
    let held = lock::holders(&root.join(".spack-db/prefix_lock")).unwrap_or_default();
    if held.iter().any(|holder| holder.mode == Mode::Write) {
        return Ok(DatabaseText::empty(index));
    }
    let Some(prefix) = some_prefix(eyes, root)? else { return Ok(DatabaseText::empty(index)) };
    let nested = prefix.ancestors().skip(1).take_while(|at| *at != root);
    if let Some(store) = nested.filter(|at| eyes.finds_file(&at.join(".spack-db/index.json"))).last() {
        let (index, store) = (index.display().to_string(), store.display().to_string());
        return Err(Trouble::new(Kind::Corrupt, format!("{index} is missing; the packages below it are those of {store}"))
            .hint("the store was padded when they were installed: name that folder as the install_tree, or give the padded_length that it had")
            .fact("path", index)
            .fact("store", store));
    }
    let (index, prefix) = (index.display().to_string(), prefix.display().to_string());
    Err(Trouble::new(Kind::Corrupt, format!("{index} is missing, but {prefix} is installed"))
        .hint("restore it from a backup, or let `spack reindex` build it again from the prefixes")
        .fact("path", index)
        .fact("prefix", prefix))
}

/// A folder of the store into which Spack installed something.
fn some_prefix(eyes: &dyn Eyes, root: &Path) -> Result<Option<PathBuf>> {
    let mut queue = VecDeque::from([(root.to_owned(), 0)]);
    let mut looked = 0;
    while let Some((folder, depth)) = queue.pop_front() {
        let names = if_there(&folder, eyes, eyes.list(&folder))?.unwrap_or_default();
        for name in names.iter().filter(|name| !name.starts_with('.')) {
            let path = folder.join(name);
            if !eyes.lstat(&path).is_ok_and(|stat| stat.kind == FileKind::Folder) {
                continue;
            }
            let hidden = path.join(".spack");
            if ["spec.json", "spec.yaml"].iter().any(|name| eyes.is_file(&hidden.join(name)).unwrap_or(true))
            {
                return Ok(Some(path));
            }
            looked += 1;
            if depth < DEPTH && looked < FOLDERS {
                queue.push_back((path, depth + 1));
            }
        }
    }
    Ok(None)
}

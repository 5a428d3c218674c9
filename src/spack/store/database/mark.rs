//! Whether an index is still the one that was read.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::base::{Kind, Result};
use crate::world::Eyes;

const SETTLED: Duration = Duration::from_secs(2);

/// Nothing, where nothing has the name; what has it and cannot be read is an error.
pub(super) fn if_there<T>(path: &Path, eyes: &dyn Eyes, read: Result<T>) -> Result<Option<T>> {
    match read {
        Err(trouble) if trouble.is(Kind::NotFound) && !eyes.exists(path)? => Ok(None),
        other => other.map(Some),
    }
}

/// What changes when somebody writes the index.
#[derive(Debug, PartialEq)]
pub struct Mark {
    /// Spack's own, new with each writing.
    verifier: Vec<u8>,
    pub(super) size: u64,
    modified: SystemTime,
    inode: u64,
    device: u64,
}

impl Mark {
    /// Of the index in a store's `.spack-db`.
    pub fn of(eyes: &dyn Eyes, folder: &Path) -> Result<Mark> {
        let stat = eyes.stat(&folder.join("index.json"))?;
        let verifier = folder.join("index_verifier");
        let verifier = if_there(&verifier, eyes, eyes.read(&verifier))?.unwrap_or_default();
        Ok(Mark {
            verifier,
            size: stat.size,
            modified: stat.modified,
            inode: stat.inode,
            device: stat.device,
        })
    }

    /// Old enough that another writing would have another time: file systems count in steps.
    pub fn is_settled(&self) -> bool {
        SystemTime::now().duration_since(self.modified).is_ok_and(|age| age >= SETTLED)
    }
}

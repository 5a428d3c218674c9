//! Free space and inodes of the file system that a path is on.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::base::{Result, Trouble};

/// What is there and what an unprivileged user may still use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub bytes: u64,
    pub free_bytes: u64,
    /// Zero on file systems that make inodes as needed.
    pub inodes: u64,
    pub free_inodes: u64,
}

pub fn space(path: &Path) -> Result<Space> {
    let found = statvfs(path).map_err(|e| Trouble::io("measure", path, e.into()))?;
    let unit = found.fragment_size();
    Ok(Space {
        bytes: unit.saturating_mul(found.blocks()),
        free_bytes: unit.saturating_mul(found.blocks_available()),
        inodes: found.files(),
        free_inodes: found.files_available(),
    })
}

//! Free space and inodes of the file system that a path is on.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, access};

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

/// A folder for many small files that do not outlive the process: in memory, where that has `bytes` to spare and
/// lets programs run, unless `TMPDIR` says otherwise. Making and removing files on a disk takes four times as long.
pub fn scratch(bytes: u64) -> PathBuf {
    let memory = Path::new("/dev/shm");
    let fits = std::env::var_os("TMPDIR").is_none()
        && statvfs(memory).is_ok_and(|found| {
            let free = found.fragment_size().saturating_mul(found.blocks_available());
            // A nearly full one would be a finding of every sweep.
            let roomy = found.blocks_available().saturating_mul(4) >= found.blocks();
            free >= bytes && roomy && !found.flags().intersects(FsFlags::ST_NOEXEC | FsFlags::ST_RDONLY)
        })
        && access(memory, AccessFlags::W_OK | AccessFlags::X_OK).is_ok();
    if fits { memory.to_owned() } else { std::env::temp_dir() }
}

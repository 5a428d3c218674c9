//! Free space and inodes of the file system that a path is on.

use std::path::{Path, PathBuf};

use nix::sys::statfs::statfs;
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

/// File systems that several machines may have mounted, by the number that the kernel gives their kind.
const NETWORKED: &[u64] = &[
    0x6969,      // NFS
    0x517B,      // SMB
    0xFE53_4D42, // SMB 2
    0xFF53_4D42, // CIFS
    0x5346_414F, // AFS
    0x0BD0_0BD0, // Lustre
    0x4750_4653, // GPFS
    0x1983_0326, // BeeGFS
    0x00C3_6400, // Ceph
    0xAAD7_AAEA, // PanFS
    0x2003_0528, // OrangeFS
    0x0116_1970, // GFS2
    0x7461_636F, // OCFS2
    0x0102_1997, // 9P
    0x6573_5546, // FUSE: whatever a program of a user shows
];

/// Whether a path, or the folder in which it would be, is on a file system that other machines may have mounted.
pub fn is_networked(path: &Path) -> bool {
    let found = path.ancestors().find_map(|part| statfs(part).ok());
    // The kernel's word for it has 32 bits on some machines.
    found.is_some_and(|found| NETWORKED.contains(&(found.filesystem_type().0 as u64 & 0xFFFF_FFFF)))
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

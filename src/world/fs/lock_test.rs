//! Whether byte-range locks exclude on a file system: tried on a nameless file that leaves nothing behind.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// What the trial showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    Works,
    /// A second holder was let in.
    Ignored,
    /// The file system refuses to lock.
    Refused(String),
    /// No file could be made there, so nothing was tried.
    NotTried(String),
}

pub fn try_locks(folder: &Path) -> Trial {
    let first = match tempfile::tempfile_in(folder) {
        Ok(file) => file,
        Err(e) => return Trial::NotTried(e.to_string()),
    };
    // A second open file, as another process would have: locks belong to open files, not to descriptors.
    let again = format!("/proc/self/fd/{}", first.as_raw_fd());
    let second = match OpenOptions::new().read(true).write(true).open(again) {
        Ok(file) => file,
        Err(e) => return Trial::NotTried(e.to_string()),
    };
    let lock = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    if let Err(e) = fcntl(&first, FcntlArg::F_OFD_SETLK(&lock)) {
        return Trial::Refused(e.desc().to_owned());
    }
    match fcntl(&second, FcntlArg::F_OFD_SETLK(&lock)) {
        Ok(_) => return Trial::Ignored,
        Err(Errno::EAGAIN | Errno::EACCES) => {}
        Err(e) => return Trial::Refused(e.desc().to_owned()),
    }
    // Not by closing it: a program that is just being started holds the same open file for a moment.
    if let Err(e) =
        fcntl(&first, FcntlArg::F_OFD_SETLK(&libc::flock { l_type: libc::F_UNLCK as i16, ..lock }))
    {
        return Trial::Refused(e.desc().to_owned());
    }
    match fcntl(&second, FcntlArg::F_OFD_SETLK(&lock)) {
        Ok(_) => Trial::Works,
        Err(e) => Trial::Refused(format!("a released lock cannot be taken: {}", e.desc())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_work_here_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(try_locks(folder.path()), Trial::Works);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(matches!(try_locks(&folder.path().join("none")), Trial::NotTried(_)));
    }
}

//! Locks that exclude Spack's: open-file-description byte-range locks, because `flock` does not (contract 2.5),
//! and plain POSIX locks vanish when any descriptor of the file is closed.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use crate::base::{Kind, Result, Trouble};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Read,
    Write,
}

/// A byte range; `length` zero reaches to the end of the file, however long it grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub start: i64,
    pub length: i64,
}

impl Range {
    pub const WHOLE: Range = Range { start: 0, length: 0 };
}

/// Held until dropped.
#[derive(Debug)]
pub struct SpackLock {
    _file: File,
}

/// Why a lock was not had.
#[derive(Debug)]
pub enum NoLock {
    /// Somebody else holds it.
    Held,
    /// This file system has no locks, or the file cannot be opened for locking.
    Impossible(std::io::Error),
}

/// Who holds a lock that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub mode: Mode,
    pub range: Range,
    /// Zero or negative for open-file-description locks and for other hosts.
    pub pid: i32,
}

fn flock(mode: Option<Mode>, range: Range) -> libc::flock {
    libc::flock {
        l_type: match mode {
            Some(Mode::Read) => libc::F_RDLCK as i16,
            Some(Mode::Write) => libc::F_WRLCK as i16,
            None => libc::F_UNLCK as i16,
        },
        l_whence: libc::SEEK_SET as i16,
        l_start: range.start,
        l_len: range.length,
        l_pid: 0,
    }
}

/// One attempt, without waiting.
pub fn try_lock(path: &Path, mode: Mode, range: Range) -> Result<SpackLock, NoLock> {
    let file =
        OpenOptions::new().read(true).write(mode == Mode::Write).open(path).map_err(NoLock::Impossible)?;
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&flock(Some(mode), range))) {
        Ok(_) => Ok(SpackLock { _file: file }),
        Err(Errno::EAGAIN | Errno::EACCES) => Err(NoLock::Held),
        Err(e) => Err(NoLock::Impossible(e.into())),
    }
}

/// Tries until `patience` is over. `Ok(None)` means that locking is impossible here and the caller must read
/// safely without.
pub fn lock(path: &Path, mode: Mode, range: Range, patience: Duration) -> Result<Option<SpackLock>> {
    let begin = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        match try_lock(path, mode, range) {
            Ok(lock) => return Ok(Some(lock)),
            Err(NoLock::Impossible(_)) => return Ok(None),
            Err(NoLock::Held) if begin.elapsed() + pause > patience => {
                let mut trouble =
                    Trouble::new(Kind::Lock, format!("{} is locked by another process", path.display()))
                        .fact("path", path.display().to_string())
                        .fact("waited_seconds", begin.elapsed().as_secs_f64())
                        .retryable();
                if let Ok(Some(holder)) = holder(path, range)
                    && holder.pid > 0
                {
                    trouble =
                        trouble.fact("pid", holder.pid).hint(format!("process {} holds it", holder.pid));
                }
                return Err(trouble);
            }
            Err(NoLock::Held) => std::thread::sleep(pause),
        }
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// The first lock within `range` that would stop a writer.
pub fn holder(path: &Path, range: Range) -> std::io::Result<Option<Holder>> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut query = flock(Some(Mode::Write), range);
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut query))?;
    Ok(match i32::from(query.l_type) {
        libc::F_UNLCK => None,
        kind => Some(Holder {
            mode: if kind == libc::F_WRLCK { Mode::Write } else { Mode::Read },
            range: Range { start: query.l_start, length: query.l_len },
            pid: query.l_pid,
        }),
    })
}

/// Every lock in the file, in order of its bytes.
pub fn holders(path: &Path) -> std::io::Result<Vec<Holder>> {
    let mut found = Vec::new();
    let mut start = 0_i64;
    while let Some(holder) = holder(path, Range { start, length: 0 })? {
        let end = holder.range.start.checked_add(holder.range.length);
        let to_the_end = holder.range.length == 0;
        found.push(holder);
        match end {
            Some(end) if !to_the_end && end > start => start = end,
            _ => break,
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_excludes_and_is_seen() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let range = Range { start: 100, length: 1 };
        let held = try_lock(file.path(), Mode::Write, range).unwrap();
        assert!(matches!(try_lock(file.path(), Mode::Read, range), Err(NoLock::Held)));
        assert!(try_lock(file.path(), Mode::Read, Range { start: 0, length: 1 }).is_ok());
        let seen = holders(file.path()).unwrap();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].range, range);
        assert_eq!(seen[0].mode, Mode::Write);
        drop(held);
        assert!(holders(file.path()).unwrap().is_empty());
        assert!(try_lock(file.path(), Mode::Read, range).is_ok());
    }

    #[test]
    fn patience_ends_with_a_lock_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let _held = try_lock(file.path(), Mode::Write, Range::WHOLE).unwrap();
        let error = lock(file.path(), Mode::Read, Range::WHOLE, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), Kind::Lock);
    }
}

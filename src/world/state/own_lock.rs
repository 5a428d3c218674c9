//! Our own locks. The kernel's lock on the file decides, and ends with its holder; what is written into the file
//! says who it was. On a shared file system the kernel of another machine may not take part, so a holder also
//! renews the file's time while it lives, and a fresh one of another machine is believed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble, words};
use crate::world::scope::cancel::Cancel;
use crate::world::who::host;

/// How often a holder says that it lives.
const PULSE: Duration = Duration::from_secs(10);
/// A holder on another machine that was silent for this long is taken as dead.
const DEAD: Duration = Duration::from_mins(2);
/// How long a holder that has just taken the lock may need to write its name.
const NAMELESS: Duration = Duration::from_millis(500);

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: u32,
    pub host: String,
    /// What it does, for the message of who waits.
    pub what: String,
    /// Seconds since 1970.
    pub since: f64,
}

impl Holder {
    fn me(what: &str) -> Holder {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Holder { pid: std::process::id(), host: host(), what: what.to_owned(), since: since.as_secs_f64() }
    }

    fn read(file: &mut File) -> Option<Holder> {
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {} ({})", self.pid, self.host, self.what)
    }
}

/// Held until dropped. The file stays: removing it would let a third process lock another file of the same name.
#[derive(Debug)]
pub struct OwnLock {
    file: File,
    stop: Arc<(Mutex<bool>, Condvar)>,
    /// Who had it and ended without giving it back.
    pub stale: Option<Holder>,
}

impl Drop for OwnLock {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        let _ = self.file.set_len(0);
        // The thread has the file open as well, and may end later.
        let _ = self.file.unlock();
    }
}

/// Why it was not had at once.
enum Denied {
    Held(Option<Holder>),
    Failed(Trouble),
}

fn attempt(path: &Path, what: &str) -> Result<OwnLock, Denied> {
    let fail = |e: std::io::Error| Denied::Failed(Trouble::io("lock", path, e));
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(fail)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(Denied::Held(Holder::read(&mut file))),
        Err(std::fs::TryLockError::Error(error)) => return Err(Denied::Failed(impossible(path, error))),
    }
    let stale = Holder::read(&mut file);
    if let Some(other) = stale.as_ref().filter(|s| s.host != host() && is_fresh(&file)) {
        return Err(Denied::Held(Some(other.clone())));
    }
    let me = serde_json::to_string(&Holder::me(what)).unwrap_or_default();
    file.rewind()
        .and_then(|()| file.set_len(0))
        .and_then(|()| file.write_all(me.as_bytes()))
        .map_err(fail)?;
    let stop = Arc::new((Mutex::new(false), Condvar::new()));
    if let Ok(pulse) = file.try_clone() {
        let stop = Arc::clone(&stop);
        // Without a thread the lock holds as well; only another machine might take it over.
        let _ = std::thread::Builder::new().name(String::from("lock")).spawn(move || beat(&pulse, &stop));
    }
    Ok(OwnLock { file, stop, stale })
}

fn beat(file: &File, stop: &(Mutex<bool>, Condvar)) {
    let mut stopped = stop.0.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stopped {
        // "Now" is what everybody may say who may write; a time of one's own is for the owner of the file alone, and
        // this may be another admin's.
        let _ = futimens(file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW);
        stopped = match stop.1.wait_timeout(stopped, PULSE) {
            Ok((guard, _)) => guard,
            Err(_) => return,
        };
    }
}

fn is_fresh(file: &File) -> bool {
    let modified = file.metadata().and_then(|meta| meta.modified());
    // A time in the future is that of a clock that differs from ours.
    modified.is_ok_and(|at| at.elapsed().map_or(true, |age| age < DEAD))
}

fn impossible(path: &Path, error: std::io::Error) -> Trouble {
    Trouble::io("lock", path, error)
        .hint("the file system has no locks: put the state folder on one that has (`state` in the site file)")
}

/// Waits for a lock, giving way to other work and to a cancel meanwhile.
pub async fn own(path: &Path, what: &str, patience: Duration) -> Result<OwnLock> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Trouble::io("create", folder, e))?;
    }
    let begin = Instant::now();
    loop {
        let holder = match attempt(path, what) {
            Ok(lock) => return Ok(lock),
            Err(Denied::Failed(trouble)) => return Err(trouble),
            Err(Denied::Held(holder)) => holder,
        };
        // A refusal says who has it, and one that has only just begun has not written that yet.
        let patience = if holder.is_none() { patience.max(NAMELESS) } else { patience };
        if begin.elapsed() >= patience {
            return Err(held(path, what, holder, begin.elapsed()));
        }
        if Cancel::current().is_some_and(|scope| scope.is_cancelled()) {
            return Err(Trouble::cancelled());
        }
        tokio::time::sleep(Duration::from_millis(if holder.is_none() { 5 } else { 50 })).await;
    }
}

fn held(path: &Path, what: &str, holder: Option<Holder>, waited: Duration) -> Trouble {
    let mut trouble = Trouble::new(Kind::Lock, format!("another moonstack is at work on {what}"))
        .fact("path", path.display().to_string())
        .fact("waited_seconds", waited.as_secs_f64())
        .retryable();
    if let Some(holder) = holder {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let age = Duration::from_secs_f64((now.as_secs_f64() - holder.since).max(0.0));
        trouble = trouble
            .hint(format!("{holder} has held it for {}", words::span(Duration::from_secs(age.as_secs()))))
            .fact("pid", holder.pid)
            .fact("host", holder.host.as_str());
        if holder.host != host() {
            trouble = trouble.hint(format!(
                "it runs on another machine; if that is gone, the lock frees itself {} after its last sign",
                words::span(DEAD)
            ));
        }
    }
    trouble
}

/// Who has it now, if anybody.
pub fn held_by(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let holder = Holder::read(&mut file);
    match file.try_lock_shared() {
        Err(std::fs::TryLockError::WouldBlock) => {
            Some(holder.map_or_else(|| String::from("another process"), |h| h.to_string()))
        }
        _ => holder.filter(|h| h.host != host() && is_fresh(&file)).map(|h| h.to_string()),
    }
}

/// A place where the lock of a name is.
pub fn place(state: &Path, name: &str) -> PathBuf {
    let digest = crate::base::digest::bytes(name.as_bytes());
    state.join("locks").join(format!("{}.lock", digest.get(..16).unwrap_or(&digest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn one_at_a_time_and_the_other_is_told_who() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks/x.lock");
        block_on(async {
            let held = own(&path, "a store", Duration::ZERO).await.unwrap();
            let error = own(&path, "a store", Duration::from_millis(60)).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Lock);
            assert_eq!(error.facts()["pid"], std::process::id());
            assert!(held_by(&path).unwrap().contains("a store"));
            drop(held);
            assert!(held_by(&path).is_none());
            assert!(own(&path, "a store", Duration::ZERO).await.unwrap().stale.is_none());
        });
    }

    #[test]
    fn one_that_has_only_just_begun_is_named_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let file = File::create(&path).unwrap();
        file.lock().unwrap();
        let late = path.clone();
        let writer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(80));
            let holder = Holder { pid: 77, host: host(), what: "w".into(), since: 1.0 };
            std::fs::write(&late, serde_json::to_string(&holder).unwrap()).unwrap();
        });
        let error = block_on(own(&path, "w", Duration::ZERO)).unwrap_err();
        writer.join().unwrap();
        assert_eq!(error.facts()["pid"], 77);
    }

    #[test]
    fn a_dead_holder_here_a_living_one_there_and_a_dead_one_there_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let leave = |host: &str, age: u64| {
            let holder = Holder { pid: 999_999, host: host.to_owned(), what: "w".into(), since: 1.0 };
            std::fs::write(&path, serde_json::to_string(&holder).unwrap()).unwrap();
            let then = SystemTime::now() - Duration::from_secs(age);
            File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        };
        block_on(async {
            leave(&host(), 1);
            assert_eq!(own(&path, "w", Duration::ZERO).await.unwrap().stale.as_ref().unwrap().pid, 999_999);
            leave("elsewhere", 1);
            let error = own(&path, "w", Duration::ZERO).await.unwrap_err();
            assert_eq!((error.kind(), error.facts()["host"].as_str()), (Kind::Lock, Some("elsewhere")));
            leave("elsewhere", 600);
            let taken = own(&path, "w", Duration::ZERO).await.unwrap();
            assert_eq!(taken.stale.as_ref().unwrap().host, "elsewhere");
        });
    }
}

//! Our own locks. The kernel's lock on the file decides, and ends with its holder; what is written into the file
//! says who it was. On a shared file system the kernel of another machine may not take part, so a holder also
//! renews the file's time while it lives, and a fresh one of another machine is believed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble, words};
use crate::world::scope::cancel::Cancel;
use crate::world::who::Process;

/// How often a holder says that it lives.
const PULSE: Duration = Duration::from_secs(10);
/// A holder on another machine that was silent for this long is taken as dead.
const DEAD: Duration = Duration::from_mins(2);
/// How long a holder that has just taken the lock may need to write its name.
const NAMELESS: Duration = Duration::from_millis(500);

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    #[serde(flatten)]
    pub process: Process,
    /// What it does, for the message of who waits.
    pub what: String,
    /// Seconds since 1970.
    pub since: f64,
}

impl Holder {
    fn me(what: &str) -> Holder {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Holder { process: Process::me(), what: what.to_owned(), since: since.as_secs_f64() }
    }

    fn read(file: &mut File) -> Option<Holder> {
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
        serde_json::from_str(&text).ok()
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {} ({})", self.process.pid, self.process.host, self.what)
    }
}

impl OwnLock {
    /// Its file goes when it is given back, for there will be no other of that name.
    #[must_use]
    pub fn passing(mut self, path: PathBuf) -> OwnLock {
        self.passing = Some(path);
        self
    }
}

/// Held until dropped.
#[derive(Debug)]
pub struct OwnLock {
    file: File,
    stop: Arc<(Mutex<bool>, Condvar)>,
    /// Its file, where that goes with it.
    passing: Option<PathBuf>,
    /// Who had it and ended without giving it back.
    pub stale: Option<Holder>,
}

impl Drop for OwnLock {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        let _ = self.file.set_len(0);
        if let Some(path) = &self.passing {
            let _ = std::fs::remove_file(path);
        }
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
    let mut file = loop {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(Denied::Held(Holder::read(&mut file))),
            Err(std::fs::TryLockError::Error(error)) => return Err(Denied::Failed(impossible(path, error))),
        }
        // A holder whose file goes with its lock may have removed this one meanwhile.
        let ours = file.metadata().map_err(fail)?;
        if std::fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (ours.dev(), ours.ino())) {
            break file;
        }
    };
    let stale = Holder::read(&mut file);
    if let Some(other) = stale.as_ref().filter(|s| !s.process.is_here() && is_fresh(&file)) {
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
    Ok(OwnLock { file, stop, passing: None, stale })
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

/// Takes a lock that nobody else has any business with.
pub fn at_once(path: &Path, what: &str) -> Result<OwnLock> {
    folder_of(path)?;
    attempt(path, what).map_err(|denied| match denied {
        Denied::Held(holder) => held(path, what, holder, Duration::ZERO),
        Denied::Failed(trouble) => trouble,
    })
}

fn folder_of(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(|e| Trouble::io("create", folder, e))
}

/// Waits for a lock, giving way to other work and to a cancel meanwhile.
pub async fn own(path: &Path, what: &str, patience: Duration) -> Result<OwnLock> {
    folder_of(path)?;
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
            .fact("pid", holder.process.pid)
            .fact("host", holder.process.host.as_str());
        if !holder.process.is_here() {
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
    match standing(path) {
        Standing::Held(Some(holder)) => Some(holder.to_string()),
        Standing::Held(None) => Some(String::from("another process")),
        Standing::Free | Standing::Unknown => None,
    }
}

/// How a lock stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    Free,
    Held(Option<Holder>),
    /// It could not be looked at.
    Unknown,
}

pub fn standing(path: &Path) -> Standing {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Standing::Free,
        Err(_) => return Standing::Unknown,
    };
    let holder = Holder::read(&mut file);
    match file.try_lock_shared() {
        Err(std::fs::TryLockError::WouldBlock) => Standing::Held(holder),
        Err(std::fs::TryLockError::Error(_)) => Standing::Unknown,
        Ok(()) => match holder.filter(|h| !h.process.is_here() && is_fresh(&file)) {
            Some(holder) => Standing::Held(Some(holder)),
            None => Standing::Free,
        },
    }
}

/// A place where the lock of a name is.
pub fn place(state: &Path, name: &str) -> PathBuf {
    let digest = crate::base::digest::bytes(name.as_bytes());
    state.join("locks").join(format!("{}.lock", digest.get(..16).unwrap_or(&digest)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    fn holder(pid: u32, host: &str) -> Holder {
        let process = Process { pid, host: host.to_owned(), boot: None, began: None };
        Holder { process, what: "w".into(), since: 1.0 }
    }

    #[test]
    fn a_lock_whose_file_goes_with_it_is_one_persons_all_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        let (inside, most, turns) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while turns.load(Ordering::SeqCst) < 200 {
                        let Ok(lock) = at_once(&path, "x") else { continue };
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        turns.fetch_add(1, Ordering::SeqCst);
                        drop(lock.passing(path.clone()));
                    }
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 1);
        assert!(!path.exists());
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
            let holder = holder(77, &crate::world::who::host());
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
            std::fs::write(&path, serde_json::to_string(&holder(999_999, host)).unwrap()).unwrap();
            let then = SystemTime::now() - Duration::from_secs(age);
            File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
        };
        block_on(async {
            leave(&crate::world::who::host(), 1);
            let taken = own(&path, "w", Duration::ZERO).await.unwrap();
            assert_eq!(taken.stale.as_ref().unwrap().process.pid, 999_999);
            drop(taken);
            leave("elsewhere", 1);
            let error = own(&path, "w", Duration::ZERO).await.unwrap_err();
            assert_eq!((error.kind(), error.facts()["host"].as_str()), (Kind::Lock, Some("elsewhere")));
            leave("elsewhere", 600);
            let taken = own(&path, "w", Duration::ZERO).await.unwrap();
            assert_eq!(taken.stale.as_ref().unwrap().process.host, "elsewhere");
        });
    }
}

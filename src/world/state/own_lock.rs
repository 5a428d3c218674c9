//! Our own locks. The kernel's lock on the file decides, and ends with its holder; what is written into the file
//! says who it was. On a shared file system the kernel of another machine may not take part, so a holder also
//! renews the file's time while it lives: one of another machine is believed while that time changes. No two clocks
//! are compared. Who may not write to the file cannot open it, and so cannot hold it either.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;

use super::holder::{Holder, PULSE};
use crate::base::{Kind, Result, Trouble, words};
use crate::world::fs::own_files::{self, Open};
use crate::world::scope::cancel::Cancel;

/// Who could not look for so long knows nothing of the time between.
const STALLED: Duration = Duration::from_secs(5);
/// How long a holder that has just taken the lock may need to write its name.
const NAMELESS: Duration = Duration::from_millis(500);

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
    /// This kernel knows of no holder, and the file names one of another machine.
    Elsewhere(Box<Sign>),
    /// Somebody removed the file at this moment.
    Again,
    Failed(Trouble),
}

/// What is seen of a holder on another machine.
#[derive(Debug, Clone, PartialEq)]
struct Sign {
    holder: Holder,
    modified: (i64, i64),
}

/// `silent` is whom we have watched for long enough.
fn attempt(path: &Path, what: &str, silent: Option<&Sign>) -> Result<OwnLock, Denied> {
    let fail = |e: std::io::Error| Denied::Failed(Trouble::io("lock", path, e));
    let mut file = own_files::open(path, Open::Change).map_err(Denied::Failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(Denied::Held(Holder::read(&mut file))),
        Err(std::fs::TryLockError::Error(error)) => return Err(Denied::Failed(impossible(path, error))),
    }
    let meta = file.metadata().map_err(fail)?;
    let named =
        std::fs::symlink_metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (meta.dev(), meta.ino()));
    if !named {
        return Err(Denied::Again);
    }
    let stale = Holder::read(&mut file);
    if let Some(holder) = stale.clone().filter(Holder::is_elsewhere) {
        let sign = Sign { holder, modified: (meta.mtime(), meta.mtime_nsec()) };
        if silent != Some(&sign) {
            return Err(Denied::Elsewhere(Box::new(sign)));
        }
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

fn impossible(path: &Path, error: std::io::Error) -> Trouble {
    Trouble::io("lock", path, error)
        .hint("the file system has no locks: put the state folder on one that has (`state` in the site file)")
}

/// Takes a lock that nobody else has any business with.
pub fn at_once(path: &Path, what: &str) -> Result<OwnLock> {
    folder_of(path)?;
    loop {
        return match attempt(path, what, None) {
            Ok(lock) => Ok(lock),
            Err(Denied::Again) => continue,
            Err(Denied::Held(holder)) => Err(held(path, what, holder, Duration::ZERO)),
            Err(Denied::Elsewhere(sign)) => Err(held(path, what, Some(sign.holder), Duration::ZERO)),
            Err(Denied::Failed(trouble)) => Err(trouble),
        };
    }
}

fn folder_of(path: &Path) -> Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    own_files::private_folder(folder)
}

/// Waits for a lock, giving way to other work and to a cancel meanwhile.
pub async fn own(path: &Path, what: &str, patience: Duration) -> Result<OwnLock> {
    folder_of(path)?;
    own_files::shut(path)?;
    let begin = Instant::now();
    let mut watched: Option<Watched> = None;
    loop {
        let silent = watched.as_ref().filter(|watched| watched.is_silent()).map(|watched| &watched.sign);
        let (holder, unsure) = match attempt(path, what, silent) {
            Ok(lock) => return Ok(lock),
            Err(Denied::Failed(trouble)) => return Err(trouble),
            Err(Denied::Again) => (None, true),
            // A refusal says who has it, and one that has only just begun has not written that yet.
            Err(Denied::Held(holder)) => {
                watched = None;
                let unsure = holder.is_none() && begin.elapsed() < NAMELESS;
                (holder, unsure)
            }
            Err(Denied::Elsewhere(sign)) => {
                let watched = Watched::see(&mut watched, *sign);
                (Some(watched.sign.holder.clone()), !watched.lives)
            }
        };
        if begin.elapsed() >= patience && !unsure {
            return Err(held(path, what, holder, begin.elapsed()));
        }
        if Cancel::current().is_some_and(|scope| scope.is_cancelled()) {
            return Err(Trouble::cancelled());
        }
        tokio::time::sleep(Duration::from_millis(if holder.is_none() { 5 } else { 50 })).await;
    }
}

/// A holder on another machine, while somebody waits for it. Until it is known whether it lives, nobody is refused.
struct Watched {
    sign: Sign,
    since: Instant,
    looked: Instant,
    /// It has given a sign meanwhile.
    lives: bool,
}

impl Watched {
    fn see(watched: &mut Option<Watched>, sign: Sign) -> &Watched {
        let known = watched.take();
        watched.insert(match known {
            Some(known) if known.sign == sign && known.looked.elapsed() < STALLED => {
                Watched { looked: Instant::now(), ..known }
            }
            Some(known) if known.sign == sign => {
                Watched { since: Instant::now(), looked: Instant::now(), ..known }
            }
            // What changes is alive.
            known => Watched { sign, since: Instant::now(), looked: Instant::now(), lives: known.is_some() },
        })
    }

    fn is_silent(&self) -> bool {
        self.since.elapsed() >= self.sign.holder.silence()
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
        if holder.is_elsewhere() {
            trouble = trouble.hint(format!(
                "it runs on another machine; if that is gone, whoever waits takes the lock after {} without a sign of it",
                words::span(Duration::from_secs(holder.silence().as_secs()))
            ));
        }
    }
    trouble
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
    use crate::world::state::holder::held_by;
    use crate::world::who::Process;

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    fn holder(pid: u32, host: &str) -> Holder {
        let process = Process { pid, host: host.to_owned(), boot: None, began: None };
        Holder { process, what: "w".into(), since: 1.0, pulse: None }
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

    /// As it lies there after somebody has taken the lock.
    fn leave(path: &Path, host: &str) {
        let holder = Holder { pulse: Some(0.0), ..holder(999_999, host) };
        std::fs::write(path, serde_json::to_string(&holder).unwrap()).unwrap();
    }

    #[test]
    fn a_holder_that_is_dead_is_followed_whatever_the_time_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        block_on(async {
            leave(&path, &crate::world::who::host());
            let taken = own(&path, "w", Duration::ZERO).await.unwrap();
            assert_eq!(taken.stale.as_ref().unwrap().process.pid, 999_999);
            drop(taken);
            let (now, hours) = (SystemTime::now(), Duration::from_hours(600_000));
            for then in [now - Duration::from_mins(10), now, now + hours] {
                leave(&path, "elsewhere");
                File::options().write(true).open(&path).unwrap().set_modified(then).unwrap();
                let taken = own(&path, "w", Duration::ZERO).await.unwrap();
                assert_eq!(taken.stale.as_ref().unwrap().process.host, "elsewhere", "{then:?}");
            }
        });
    }

    #[test]
    fn a_holder_on_another_machine_that_gives_signs_is_believed_whatever_its_clock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.lock");
        leave(&path, "elsewhere");
        let (pulse, stop) = (path.clone(), Arc::new(Mutex::new(false)));
        let stopped = Arc::clone(&stop);
        let other = std::thread::spawn(move || {
            let mut at = SystemTime::UNIX_EPOCH;
            while !*stopped.lock().unwrap() {
                at += Duration::from_secs(1);
                File::options().write(true).open(&pulse).unwrap().set_modified(at).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let error = block_on(own(&path, "w", Duration::from_secs(1))).unwrap_err();
        assert_eq!((error.kind(), error.facts()["host"].as_str()), (Kind::Lock, Some("elsewhere")));
        *stop.lock().unwrap() = true;
        other.join().unwrap();
        block_on(own(&path, "w", Duration::ZERO)).unwrap();
    }

    #[test]
    fn nobody_else_can_hold_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locks/x.lock");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        let set = |path: &Path, mode| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        drop(block_on(own(&path, "w", Duration::ZERO)).unwrap());
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        // As earlier releases made them.
        set(&path, 0o644);
        set(path.parent().unwrap(), 0o755);
        drop(block_on(own(&path, "w", Duration::ZERO)).unwrap());
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
}

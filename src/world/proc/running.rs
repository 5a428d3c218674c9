//! The programs that are running now, each with what it has started. Whoever ends one ends all of that; what cannot be
//! ended is remembered, so that it is named when this process ends.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::descendants::{self, Family, MARK, Process};

/// How long what is killed may take to be gone: what waits for a disk ends late.
const GONE: Duration = Duration::from_secs(10);
/// The same where somebody waits for this process to end at once.
const AT_ONCE: Duration = Duration::from_secs(2);
/// From one look at what is there to the next.
const PAUSE: Duration = Duration::from_millis(10);

/// By the process ids of the programs.
static RUNNING: Mutex<BTreeMap<i32, Family>> = Mutex::new(BTreeMap::new());
/// What could not be ended.
static LEFT: Mutex<Vec<Process>> = Mutex::new(Vec::new());
/// Whether what has lost its parent becomes a child of this process.
static ADOPTS: AtomicBool = AtomicBool::new(false);
static STARTED: AtomicU64 = AtomicU64::new(0);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on what programs have started stays below this process when its parent ends. Only for a process that is
/// ours as a whole: its children are waited for here.
pub fn adopt() {
    let adopts = nix::sys::prctl::set_child_subreaper(true).is_ok();
    ADOPTS.store(adopts, Ordering::SeqCst);
}

/// What programs have started and what could not be ended, by name.
pub fn left() -> Vec<String> {
    lock(&LEFT).iter().filter(|process| process.is_there()).map(Process::to_string).collect()
}

/// What people are told of them.
pub fn told(left: &[String]) -> String {
    format!("could not be ended and still runs, with what it changes: {}", left.join(", "))
}

/// Kills every program that is running and what it has started; for the moment before an immediate exit.
pub fn kill_all() {
    let mut families: Vec<Family> = lock(&RUNNING).values().cloned().collect();
    let begin = Instant::now();
    loop {
        let alive: Vec<Process> = families.iter_mut().flat_map(alive).collect();
        if alive.is_empty() {
            return;
        }
        if !signal_each(&alive, Signal::SIGKILL) || begin.elapsed() > AT_ONCE {
            lock(&LEFT).extend(alive);
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

/// Whether any of them may be sent signals.
fn signal_each(processes: &[Process], signal: Signal) -> bool {
    processes.iter().filter(|process| process.signal(signal)).count() > 0
}

/// Without a mark and a parent it must be of the only family that is there.
fn alive(family: &mut Family) -> Vec<Process> {
    let ourselves = std::process::id() as i32;
    let programs: Vec<i32> = lock(&RUNNING).keys().copied().collect();
    let alone = ADOPTS.load(Ordering::SeqCst) && programs == [family.leader()];
    family.alive(|process| alone && process.parent == ourselves && !programs.contains(&process.id))
}

/// Waits for those that became children of this process and have ended; nobody else does.
fn reap() {
    if !ADOPTS.load(Ordering::SeqCst) {
        return;
    }
    // While it is held no program is started that would be taken for an adopted one.
    let running = lock(&RUNNING);
    for id in descendants::children().into_iter().filter(|id| !running.contains_key(id)) {
        let _ = waitpid(Pid::from_raw(id), Some(WaitPidFlag::WNOHANG));
    }
}

/// A program that is running in a process group of its own. When it is dropped, the group is killed; unless the
/// program ended well, so is everything else that it has started.
pub struct Running {
    family: Family,
    /// The program ended by itself and well: what left its group is meant to stay.
    well: bool,
}

impl Running {
    /// Starts it. Its environment gets one more mark.
    pub fn spawn(command: &mut Command) -> io::Result<(Child, Running)> {
        let mut mark = format!("{}.{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed) + 1);
        let marks = match std::env::var(MARK) {
            Ok(outer) if !outer.is_empty() => format!("{outer}:{mark}"),
            _ => mark.clone(),
        };
        command.env(MARK, marks).process_group(0).kill_on_drop(true);
        let mut running = lock(&RUNNING);
        let child = command.spawn()?;
        let leader = child.id().map_or(0, |id| id as i32);
        let family = Family::new(leader, std::mem::take(&mut mark));
        running.insert(leader, family.clone());
        Ok((child, Running { family, well: false }))
    }

    /// To the program and those in its group.
    pub fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.family.leader()), signal);
    }

    /// To all that is there, whatever group it is in.
    pub fn signal_all(&mut self, signal: Signal) {
        signal_each(&alive(&mut self.family), signal);
    }

    /// The program has ended by itself and well.
    pub fn ended_well(mut self) {
        self.well = true;
    }

    /// Asks what is left to end, kills it after `grace`, and returns when all of it is gone, or cannot be ended.
    pub async fn end(mut self, grace: Duration) {
        let begin = Instant::now();
        let mut asked = false;
        loop {
            let left = alive(&mut self.family);
            if left.is_empty() {
                // Nothing is left to look for.
                self.well = true;
                return;
            }
            let late = begin.elapsed() > grace;
            let signal = match (late, asked) {
                (true, _) => Some(Signal::SIGKILL),
                (false, false) => Some(Signal::SIGTERM),
                (false, true) => None,
            };
            asked = true;
            let hopeless = signal.is_some_and(|signal| !signal_each(&left, signal));
            if hopeless || begin.elapsed() > grace + GONE {
                lock(&LEFT).extend(left);
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        if !self.well {
            let begin = Instant::now();
            loop {
                let left = alive(&mut self.family);
                if !signal_each(&left, Signal::SIGKILL) || begin.elapsed() > AT_ONCE {
                    break;
                }
                std::thread::sleep(PAUSE);
            }
        }
        lock(&RUNNING).remove(&self.family.leader());
        reap();
    }
}

//! Programs that outlived the moonstack that started them, because it was killed. Each carries a mark in its
//! environment, which its children inherit, so they are found whatever groups they made.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::base::atomic;

/// The variable that every program gets: who started it.
pub const MARK: &str = "MOONSTACK_PID";
/// How long they may take to end by themselves.
const GRACE: Duration = Duration::from_secs(10);

/// Whether a process of this machine is there.
pub fn lives(pid: u32) -> bool {
    let pid = Pid::from_raw(pid as i32);
    // One that may not be signalled is there as well.
    !matches!(kill(pid, None), Err(nix::errno::Errno::ESRCH))
}

/// Process ids of what that moonstack has left behind.
pub fn of(pid: u32) -> BTreeSet<i32> {
    let mark = format!("{MARK}={pid}");
    let mut found = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir("/proc") else { return found };
    for entry in entries.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        // Those of other users cannot be read, and are not ours to end.
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else { continue };
        if environment.split(|b| *b == 0).any(|variable| variable == mark.as_bytes()) {
            found.insert(id);
        }
    }
    found
}

/// Ends them: an interrupt, on which Spack unwinds, then a kill. Gives how many there were.
pub fn end(pid: u32) -> usize {
    if lives(pid) {
        return 0;
    }
    let found = of(pid);
    for id in &found {
        let _ = kill(Pid::from_raw(*id), Signal::SIGINT);
    }
    let begin = Instant::now();
    loop {
        let left = of(pid);
        if left.is_empty() {
            return found.len();
        }
        if begin.elapsed() > GRACE {
            for id in left {
                let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
            }
        }
        if begin.elapsed() > GRACE * 2 {
            return found.len();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Removes the half-written files of a moonstack that was killed while it wrote into these folders.
pub fn sweep(pid: u32, folders: &BTreeSet<PathBuf>) {
    let begin = atomic::temporary(pid);
    for folder in folders {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&begin) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_one_started_is_found_and_ended_with_its_children() {
        // A process id that nobody has.
        let dead = (4_000_000..4_100_000).find(|pid| !lives(*pid)).unwrap();
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & sleep 60"])
            .env(MARK, dead.to_string())
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while of(dead).len() < 3 && begin.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let reaper = std::thread::spawn(move || child.wait());
        assert_eq!(end(dead), 3);
        assert!(of(dead).is_empty());
        reaper.join().unwrap().unwrap();
    }
}

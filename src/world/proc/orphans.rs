//! Programs that outlived the moonstack that started them, because it was killed. Each carries a mark in its
//! environment, which its children inherit, so they are found whatever groups they made.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::descendants::{Process, of_moonstack};
use crate::base::atomic;

/// How long they may take to end by themselves.
const GRACE: Duration = Duration::from_secs(10);

/// Whether a process of this machine is there.
pub fn lives(pid: u32) -> bool {
    let pid = Pid::from_raw(pid as i32);
    // One that may not be signalled is there as well.
    !matches!(kill(pid, None), Err(nix::errno::Errno::ESRCH))
}

/// Ends them: an interrupt, on which Spack unwinds, an end for what is left once the first ones are gone, then a kill.
/// Gives how many there were.
pub fn end(pid: u32) -> usize {
    if lives(pid) {
        return 0;
    }
    let mut found = of_moonstack(pid);
    let (first, others): (Vec<Process>, Vec<Process>) =
        found.iter().cloned().partition(|process| found.iter().all(|other| other.id != process.parent));
    for process in first.iter().chain(&others) {
        let _ = process.signal(Signal::SIGINT);
    }
    let begin = Instant::now();
    let mut asked = false;
    loop {
        // Those that were seen once count also when they have lost their parents.
        let more = of_moonstack(pid).into_iter().filter(|p| !found.iter().any(|known| known.is(p)));
        found.extend(more.collect::<Vec<_>>());
        let left: Vec<&Process> = found.iter().filter(|process| process.is_there()).collect();
        if left.is_empty() || begin.elapsed() > GRACE * 2 {
            return found.len();
        }
        let signal = if begin.elapsed() > GRACE {
            Some(Signal::SIGKILL)
        } else {
            let alone = !asked && !first.iter().any(Process::is_there);
            asked |= alone;
            alone.then_some(Signal::SIGTERM)
        };
        if let Some(signal) = signal {
            for process in left {
                let _ = process.signal(signal);
            }
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
    use super::super::descendants::MARK;
    use super::*;

    #[test]
    fn what_a_dead_one_started_is_found_and_ended_with_its_children() {
        // A process id that nobody has.
        let dead = (4_000_000..4_100_000).find(|pid| !lives(*pid)).unwrap();
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 60 & env -i sleep 60 & sleep 60"])
            .env(MARK, format!("1.1:{dead}.3:{dead}1.2"))
            .spawn()
            .unwrap();
        let begin = Instant::now();
        while of_moonstack(dead).len() < 4 && begin.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(of_moonstack(dead / 10).is_empty());
        let reaper = std::thread::spawn(move || child.wait());
        assert_eq!(end(dead), 4);
        assert!(of_moonstack(dead).is_empty());
        reaper.join().unwrap().unwrap();
    }
}

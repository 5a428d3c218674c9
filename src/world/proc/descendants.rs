//! What a program has started, whatever session, group or parent that has by now. Three signs lead to it: its parent,
//! its process group, and a mark in its environment, which children inherit.

use std::collections::{BTreeMap, BTreeSet};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that every program is given: the marks of the programs that it was started by, the nearest last. A
/// mark is the process id of the moonstack that started it and a number.
pub const MARK: &str = "MOONSTACK_PROGRAM";

/// One process of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    pub id: i32,
    pub parent: i32,
    group: i32,
    /// In the kernel's ticks since the machine was started; with the id it is one process and no other.
    began: u64,
    name: String,
}

impl Process {
    /// From a line of `/proc/ID/stat`; none for one that has ended and only waits for its parent.
    fn read(line: &str) -> Option<Process> {
        // The name stands in parentheses and may hold any of the characters around it.
        let (id, rest) = line.split_once(" (")?;
        let (name, rest) = rest.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        if matches!(*fields.first()?, "Z" | "X" | "x") {
            return None;
        }
        Some(Process {
            id: id.parse().ok()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            began: fields.get(19)?.parse().ok()?,
            name: name.to_owned(),
        })
    }

    /// The one of this id, if it is there.
    pub fn of(id: i32) -> Option<Process> {
        Process::read(&std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
    }

    /// Whether both are the same, whoever the parent is by now.
    pub fn is(&self, other: &Process) -> bool {
        (self.id, self.began) == (other.id, other.began)
    }

    /// Whether it is still there, and not another one of the same id.
    pub fn is_there(&self) -> bool {
        Process::of(self.id).is_some_and(|process| process.is(self))
    }

    /// Whether it may be sent signals at all.
    pub fn signal(&self, signal: Signal) -> bool {
        kill(Pid::from_raw(self.id), signal) != Err(nix::errno::Errno::EPERM)
    }

    /// Whether its environment has a mark for which `is` holds. That of another user's process cannot be read.
    fn has_mark(&self, is: impl Fn(&str) -> bool) -> bool {
        let Ok(environment) = std::fs::read(format!("/proc/{}/environ", self.id)) else { return false };
        environment.split(|b| *b == 0).any(|variable| {
            let Ok(variable) = str::from_utf8(variable) else { return false };
            let marks = variable.strip_prefix(MARK).and_then(|rest| rest.strip_prefix('='));
            marks.is_some_and(|marks| marks.split(':').any(&is))
        })
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.id)
    }
}

fn processes() -> BTreeMap<i32, Process> {
    let read = |entry: std::fs::DirEntry| Process::of(entry.file_name().to_str()?.parse().ok()?);
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(read).map(|process| (process.id, process)).collect()
}

/// Those for which `is` holds, and all that they have started. This process is never among them.
fn family(all: &BTreeMap<i32, Process>, is: impl Fn(&Process) -> bool) -> Vec<Process> {
    let ourselves = std::process::id() as i32;
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for process in all.values() {
        children.entry(process.parent).or_default().push(process.id);
    }
    let mut found: BTreeSet<i32> = BTreeSet::new();
    let mut next: Vec<i32> = all.values().filter(|p| is(p)).map(|p| p.id).collect();
    while let Some(id) = next.pop() {
        if id != ourselves && found.insert(id) {
            next.extend(children.get(&id).into_iter().flatten());
        }
    }
    found.iter().filter_map(|id| all.get(id)).cloned().collect()
}

/// What a moonstack of that process id has started and that is still there.
pub fn of_moonstack(pid: u32) -> Vec<Process> {
    let ours = format!("{pid}.");
    family(&processes(), |process| process.has_mark(|mark| mark.starts_with(&ours)))
}

/// A program and what it has started.
#[derive(Debug, Clone)]
pub struct Family {
    leader: i32,
    /// When the leader began; none if it had ended before anybody could look.
    began: Option<u64>,
    mark: String,
    /// Those that were seen once, should they lose every sign.
    seen: BTreeSet<(i32, u64)>,
}

impl Family {
    pub fn new(leader: i32, mark: String) -> Family {
        Family { leader, began: Process::of(leader).map(|p| p.began), mark, seen: BTreeSet::new() }
    }

    pub fn leader(&self) -> i32 {
        self.leader
    }

    /// Who of it is there. `adopted` says of a process without a mark whether it must be of this family because there
    /// is no other.
    pub fn alive(&mut self, adopted: impl Fn(&Process) -> bool) -> Vec<Process> {
        let all = processes();
        // An id is given to somebody else only when nobody is in the group of that id any more.
        let reused = all.get(&self.leader).is_some_and(|p| self.began.is_some_and(|began| p.began != began));
        let since = self.began.unwrap_or(0);
        let found = family(&all, |process| {
            self.seen.contains(&(process.id, process.began))
                || (process.group == self.leader && !reused)
                || (process.began >= since
                    && (process.has_mark(|mark| mark == self.mark)
                        || (adopted(process) && !process.has_mark(|_| true))))
        });
        self.seen.extend(found.iter().map(|process| (process.id, process.began)));
        found
    }
}

/// Ids of the children of this process, as far as the kernel tells.
pub fn children() -> Vec<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let ids = |text: String| -> Vec<i32> { text.split_ascii_whitespace().flat_map(str::parse).collect() };
    texts.flat_map(ids).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = "71 (a ) S (b) R 5 70 69 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 99 0";
        let process = Process::read(line).unwrap();
        assert_eq!((process.id, process.parent, process.group, process.began), (71, 5, 70, 4711));
        assert_eq!(process.to_string(), "a ) S (b (process 71)");
        assert_eq!(Process::read(&line.replace(") R", ") Z")), None);
        let ourselves = Process::of(std::process::id() as i32).unwrap();
        assert_eq!(ourselves.parent, nix::unistd::getppid().as_raw());
    }
}

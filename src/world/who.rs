//! This machine, its processes, and who acts on it.

use serde::{Deserialize, Serialize};

/// A process, told from another one that has its number later, on this machine or after it was started anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    pub host: String,
    /// Of the machine's start. What older builds have written has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// When it began, in the kernel's ticks since the machine's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<i64>,
}

impl Process {
    pub fn me() -> Process {
        let pid = std::process::id();
        Process { pid, host: host(), boot: boot(), began: began(pid) }
    }

    /// Whether it is, or was, one of this machine, also under another name. A machine has one start at a time, so
    /// what began with another start is of another machine or is over.
    pub fn is_here(&self) -> bool {
        match (&self.boot, boot()) {
            (Some(then), Some(now)) if *then == now => true,
            _ => self.host == host(),
        }
    }

    /// Whether it still runs, as far as this machine can tell: none for one of another machine.
    pub fn lives(&self) -> Option<bool> {
        if !self.is_here() {
            return None;
        }
        if self.boot.is_some() && self.boot != boot() {
            return Some(false);
        }
        let now = began(self.pid);
        Some(match self.began {
            Some(then) => now == Some(then),
            None => now.is_some(),
        })
    }
}

/// Whether whoever started this process had it ignore a signal, as `nohup` does.
pub fn ignores(signal: i32) -> bool {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = text.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    u32::try_from(signal - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|rest| rest & 1 == 1)
}

fn boot() -> Option<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// The 22nd field of its `stat`; the second is a name, which may have spaces and brackets.
fn began(pid: u32) -> Option<i64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

use nix::unistd::{Uid, User, geteuid, getuid};

/// What the kernel says where nobody has logged in: of a daemon.
const NOBODY: u32 = u32::MAX;

/// This machine.
pub fn host() -> String {
    nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Who acts: whoever called sudo, who logged in, or whom the process belongs to. A variable is believed of root alone,
/// as anybody else may have set it.
pub fn user() -> String {
    let sudo = std::env::var("SUDO_USER").ok().filter(|_| getuid().is_root());
    acting(sudo.as_deref(), logged_in(), getuid().as_raw())
}

fn acting(sudo: Option<&str>, logged_in: Option<u32>, uid: u32) -> String {
    match sudo.filter(|name| is_name(name)) {
        Some(name) => name.to_owned(),
        None => name(logged_in.unwrap_or(uid)),
    }
}

fn is_name(text: &str) -> bool {
    let known = |c: char| c.is_alphanumeric() || "._-@+\\$".contains(c);
    !text.is_empty() && text.chars().all(known)
}

/// Who logged in to the session that this belongs to: the kernel keeps it through su and sudo.
fn logged_in() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|uid| *uid != NOBODY)
}

/// What a user is called, or the number where nobody knows.
pub fn name(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// Whether what this user made is as good as our own.
pub fn is_trusted(uid: u32) -> bool {
    uid == 0 || uid == geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_called_sudo_then_who_logged_in_then_the_process() {
        assert_eq!(acting(Some("ann"), Some(1), 0), "ann");
        assert_eq!(acting(None, Some(0), 1), name(0));
        assert_eq!(acting(None, None, 0), name(0));
        for odd in ["", "a\u{1b}[2Jb", "a b", "a\nb"] {
            assert_eq!(acting(Some(odd), None, 0), name(0), "{odd:?}");
        }
    }

    #[test]
    fn a_process_is_told_from_one_with_its_number_and_from_one_before_the_machine_was_started() {
        let me = Process::me();
        assert_eq!(me.lives(), Some(true));
        let other = |boot: Option<&str>, began: Option<i64>, host: &str| Process {
            boot: boot.map(str::to_owned),
            began,
            host: host.to_owned(),
            ..me.clone()
        };
        let boot = me.boot.as_deref();
        assert_eq!(other(boot, me.began.map(|at| at - 1), &me.host).lives(), Some(false));
        assert_eq!(other(Some("before"), me.began, &me.host).lives(), Some(false));
        assert_eq!(other(boot, me.began, "renamed").lives(), Some(true));
        assert_eq!(other(Some("another"), me.began, "elsewhere").lives(), None);
        assert_eq!(other(None, None, &me.host).lives(), Some(true));
    }
}

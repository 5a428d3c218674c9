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

/// This machine.
pub fn host() -> String {
    nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Who acts: behind sudo, the person who called it.
pub fn user() -> String {
    std::env::var("SUDO_USER").ok().filter(|u| !u.is_empty()).unwrap_or_else(|| {
        nix::unistd::User::from_uid(nix::unistd::getuid())
            .ok()
            .flatten()
            .map_or_else(|| nix::unistd::getuid().to_string(), |u| u.name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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

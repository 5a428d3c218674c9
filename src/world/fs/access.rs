//! Who may use what a site shares, in the words of Spack's `packages:all:permissions`: whom it belongs to, who reads
//! and who changes it. The bits of files and folders follow from that and from what their owner may do.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::stat::Mode;
use nix::unistd::{Group, getegid, geteuid, getgroups};

use crate::base::{Kind, Result, Trouble};
use crate::world::who;

/// What the site file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedPermissions {
    pub group: Option<String>,
    /// Everybody reads; otherwise the group alone.
    pub world_reads: bool,
    /// The group changes it as well; otherwise its owner alone.
    pub group_writes: bool,
}

/// The same with the number of the group, which this process may give files to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    pub wish: SharedPermissions,
    pub gid: Option<u32>,
}

impl SharedPermissions {
    /// Looks the group up. Only who is a member, or root, may give files to it.
    pub fn resolve(&self) -> Result<Access> {
        let Some(name) = &self.group else { return Ok(Access { wish: self.clone(), gid: None }) };
        let group = Group::from_name(name).map_err(|e| {
            Trouble::new(Kind::Configuration, format!("site file: shared.group: '{name}': {e}")).retryable()
        })?;
        let Some(group) = group else {
            let message = format!("site file: shared.group: there is no group '{name}' on this machine");
            return Err(Trouble::new(Kind::Configuration, message)
                .hint(format!("`getent group {name}` says whether the machine knows it")));
        };
        let member = geteuid().is_root()
            || getegid() == group.gid
            || getgroups().is_ok_and(|own| own.contains(&group.gid));
        if !member {
            let user = who::user();
            let message = format!("{user} is no member of group '{name}', to which this site belongs");
            return Err(Trouble::new(Kind::Permission, message)
                .hint(format!("`id {user}` lists the groups; a new one counts after the next login"))
                .hint("`shared.group` of the site file names the group")
                .fact("group", name.as_str()));
        }
        Ok(Access { wish: self.clone(), gid: Some(group.gid.as_raw()) })
    }

    /// What the process masks, so that what it and its programs make is right from the first moment.
    pub fn umask(&self) -> u32 {
        let group = if self.group_writes { 0 } else { 0o020 };
        let world = if self.world_reads { 0o002 } else { 0o007 };
        group | world
    }
}

impl Access {
    /// The bits of a file or folder of which the owner's are known.
    pub fn mode(&self, now: u32, is_folder: bool) -> u32 {
        let owner = now & 0o700;
        let group = (owner >> 3) & if self.wish.group_writes { 0o070 } else { 0o050 };
        let world = if self.wish.world_reads { (owner >> 6) & 0o005 } else { 0 };
        // What is made in a folder belongs to the folder's group.
        let inherits = if is_folder && self.gid.is_some() { 0o2000 } else { 0 };
        (now & 0o7000) | owner | group | world | inherits
    }

    /// The bits of our own files, which are of use to the group alone; what others may do already stays.
    pub fn private_mode(&self, now: u32, is_folder: bool) -> u32 {
        let wanted = self.mode(now, is_folder) & !0o007;
        wanted | now & 0o007
    }

    /// What the members of a class may do with something of this mode, as the last three bits.
    pub fn class(&self, mode: u32, gid: u32) -> u32 {
        if self.wish.world_reads || self.gid.is_none_or(|own| own != gid) {
            mode & 7
        } else {
            (mode >> 3) & 7
        }
    }

    /// The same as Spack is told it.
    pub fn permissions(&self) -> Vec<(&'static str, String)> {
        let (read, write) = self.words();
        let mut out = vec![("read", read.to_owned()), ("write", write.to_owned())];
        out.extend(self.wish.group.clone().map(|group| ("group", group)));
        out
    }

    fn words(&self) -> (&'static str, &'static str) {
        let read = if self.wish.world_reads { "world" } else { "group" };
        (read, if self.wish.group_writes { "group" } else { "user" })
    }

    /// Who has to be able to read, for a message.
    pub fn readers(&self) -> String {
        match &self.wish.group {
            Some(group) if !self.wish.world_reads => format!("users of group {group}"),
            _ => "users".to_owned(),
        }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(group) = &self.wish.group {
            write!(f, "group {group}, ")?;
        }
        let (read, write) = self.words();
        write!(f, "read {read}, write {write}")
    }
}

static LOG: AtomicU32 = AtomicU32::new(0o600);

/// From now on this process and what it starts make files and folders as the site wishes.
pub fn enter(wish: &SharedPermissions) {
    nix::sys::stat::umask(Mode::from_bits_truncate(wish.umask()));
    if wish.group_writes {
        LOG.store(0o660, Ordering::Relaxed);
    }
}

/// The mode of a new log: what programs print is not for everybody, but for those who go on with a run.
pub fn log_mode() -> u32 {
    LOG.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(world_reads: bool, group_writes: bool) -> Access {
        Access {
            wish: SharedPermissions { group: Some("g".into()), world_reads, group_writes },
            gid: Some(7),
        }
    }

    #[test]
    fn the_bits_follow_from_those_of_the_owner() {
        let cases = [
            // world reads, group writes, mode, folder, wanted
            (true, true, 0o700, true, 0o2775),
            (true, true, 0o600, false, 0o664),
            (true, false, 0o700, true, 0o2755),
            (true, false, 0o666, false, 0o644),
            (true, false, 0o500, false, 0o555),
            (false, true, 0o777, true, 0o2770),
            (false, true, 0o755, false, 0o770),
            (false, false, 0o644, false, 0o640),
            (false, false, 0o2755, true, 0o2750),
            (true, true, 0o1700, true, 0o3775),
        ];
        for (world, writes, mode, folder, wanted) in cases {
            let got = access(world, writes).mode(mode, folder);
            assert_eq!(got, wanted, "{mode:o} {world} {writes}: {got:o}");
            assert_eq!(access(world, writes).mode(got, folder), got, "the second time nothing changes");
        }
        assert_eq!(access(true, true).private_mode(0o600, false), 0o660);
        assert_eq!(access(true, true).private_mode(0o755, true), 0o2775);
        assert_eq!(access(true, true).private_mode(0o700, true), 0o2770);
        let ungrouped = Access { gid: None, ..access(true, false) };
        assert_eq!(ungrouped.mode(0o700, true), 0o755);
    }

    #[test]
    fn what_is_made_under_the_mask_is_right_at_once() {
        for (world, writes) in [(true, true), (true, false), (false, true), (false, false)] {
            let access = access(world, writes);
            let made = 0o777 & !access.wish.umask();
            assert_eq!(access.mode(made, false), made, "{access}");
        }
    }

    #[test]
    fn an_unknown_group_and_a_foreign_one_are_refused() {
        let wish = |name: &str| SharedPermissions {
            group: Some(name.to_owned()),
            world_reads: true,
            group_writes: true,
        };
        let error = wish("no-such-group-here").resolve().unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.message().contains("no-such-group-here"), "{error}");
        let own = Group::from_gid(getegid()).unwrap().map(|group| group.name);
        if let Some(own) = own {
            assert_eq!(wish(&own).resolve().unwrap().gid, Some(getegid().as_raw()));
        }
        let foreign = ["daemon", "bin", "mail"].into_iter().find(|name| wish(name).resolve().is_err());
        assert!(geteuid().is_root() == foreign.is_none(), "{foreign:?}");
    }
}

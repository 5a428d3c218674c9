//! The state folder: before the first of our records is written, it is looked at, and what is in it is made that of
//! those who work on the site: one admin, or those of the site's group, so that the next can go on with it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::base::{Kind, Result, Trouble};
use crate::world::fs::access::{Access, SharedPermissions};
use crate::world::fs::own_files::{self, Open};
use crate::world::fs::share::admit;
use crate::world::state::private_record;

/// The database and what SQLite keeps beside it.
const FILES: &[&str] = &["state.db", "state.db-wal", "state.db-shm", "state.db-lock"];

/// Who uses a state folder; looked up when it is first needed, as who only looks need not be a member.
#[derive(Debug, Default)]
pub struct SharedState {
    wish: Option<SharedPermissions>,
    folder: PathBuf,
    access: Mutex<Option<Result<Option<Access>>>>,
    ready: Mutex<Option<Result<Option<Access>>>>,
}

impl SharedState {
    pub fn new(wish: Option<SharedPermissions>, folder: PathBuf) -> SharedState {
        SharedState { wish, folder, ..SharedState::default() }
    }

    /// Whom the site belongs to; nothing if its site file does not say.
    pub fn access(&self) -> Result<Option<Access>> {
        let mut known = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        known.get_or_insert_with(|| self.wish.as_ref().map(SharedPermissions::resolve).transpose()).clone()
    }

    /// The same once the folder may be written to.
    pub fn ready(&self) -> Result<Option<Access>> {
        let mut known = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let prepare = || {
            let access = self.access()?;
            // Without a folder nothing is kept.
            if !self.folder.as_os_str().is_empty() {
                let group = access.as_ref().filter(|access| access.wish.group_writes);
                prepare(&self.folder, group)?;
            }
            Ok(access)
        };
        known.get_or_insert_with(prepare).clone()
    }
}

fn prepare(folder: &Path, access: Option<&Access>) -> Result<()> {
    if let Some(access) = access {
        std::fs::create_dir_all(folder).map_err(|e| Trouble::io("create", folder, e))?;
        make_right(folder, access, false)?;
    }
    for path in own_files::PRIVATE.iter().map(|name| folder.join(name)) {
        match access {
            // What is not there yet is made when it is needed.
            None if std::fs::symlink_metadata(&path).is_err() => {}
            None => own_files::private_folder(&path)?,
            // The first who makes it is its owner, and the others have to get in.
            Some(access) => {
                own_files::private_folder(&path)?;
                make_right(&path, access, true)?;
            }
        }
    }
    if let Some(access) = access {
        // Each admin has files of his own in this one.
        let own = folder.join(private_record::FOLDER);
        own_files::private_folder(&own)?;
        make_right(&own, access, false)?;
    }
    for (at, path) in FILES.iter().map(|name| folder.join(name)).enumerate() {
        own_files::check(&path)?;
        // SQLite would make it for its owner alone, and the others like the first.
        if at == 0 && access.is_some() && !path.exists() {
            drop(own_files::open(&path, Open::Change)?);
        }
        own_files::shut(&path)?;
        if let Some(access) = access {
            make_right(&path, access, false)?;
        }
    }
    Ok(())
}

/// What is right already is not looked through.
fn make_right(path: &Path, access: &Access, deep: bool) -> Result<()> {
    let Ok(meta) = std::fs::metadata(path) else { return Ok(()) };
    let mode = meta.mode() & 0o7777;
    let is_right =
        access.gid.is_none_or(|gid| gid == meta.gid()) && access.private_mode(mode, meta.is_dir()) == mode;
    if is_right {
        return Ok(());
    }
    let done = admit(path, access, deep)?;
    let Some(first) = done.foreign.first() else { return Ok(()) };
    let group = access.wish.group.as_deref().unwrap_or("GROUP");
    Err(Trouble::new(
        Kind::Permission,
        format!("{} is not shared with group {group} as the site file says", first.display()),
    )
    .hint(format!(
        "its owner or root does it: chgrp -R {group} {0} && chmod -R g+rwX {0}, or any command that changes something",
        path.display()
    ))
    .fact("path", first.display().to_string()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn records_that_were_private_are_the_groups_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        std::fs::create_dir_all(state.join("logs/old")).unwrap();
        std::fs::write(state.join("logs/old/run-1.log"), "x").unwrap();
        std::fs::write(state.join("state.db"), "").unwrap();
        let set = |path: &str, mode| {
            let permissions = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(state.join(path), permissions).unwrap();
        };
        for (path, mode) in
            [("logs/old/run-1.log", 0o600), ("logs/old", 0o700), ("logs", 0o700), ("state.db", 0o600)]
        {
            set(path, mode);
        }
        let group = nix::unistd::Group::from_gid(nix::unistd::getegid()).unwrap().unwrap();
        let wish = SharedPermissions { group: Some(group.name), world_reads: true, group_writes: true };
        let shared = SharedState::new(Some(wish), state.clone());
        shared.ready().unwrap();
        let mode = |path: &str| std::fs::metadata(state.join(path)).unwrap().mode() & 0o7777;
        for (path, wanted) in [
            ("logs", 0o2770),
            ("logs/old", 0o2770),
            ("logs/old/run-1.log", 0o660),
            ("state.db", 0o660),
            ("locks", 0o2770),
            ("snapshots", 0o2770),
        ] {
            assert_eq!(mode(path), wanted, "{path}: {:o}", mode(path));
        }
        assert_eq!(mode("") & 0o2770, 0o2770);
    }

    #[test]
    fn nothing_is_written_where_the_group_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let wish = SharedPermissions {
            group: Some("no-such-group-here".into()),
            world_reads: true,
            group_writes: true,
        };
        let shared = SharedState::new(Some(wish), state.clone());
        assert_eq!(shared.ready().unwrap_err().kind(), Kind::Configuration);
        assert!(!state.exists());
        assert!(SharedState::default().ready().unwrap().is_none());
    }
}

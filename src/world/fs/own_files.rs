//! Our own files where others may write too: the state folder of a group, the stack folder. They are opened without
//! following links, are regular files of one name, and belong to somebody who may have made them. Anything else was
//! put there by somebody who wants us to read, overwrite or wait for something.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::access::log_mode;
use crate::base::{Kind, Result, Trouble, atomic};
use crate::world::who;

/// Whose files are ours, and the folders below which they are.
#[derive(Debug, Clone, Default)]
struct Owners {
    folders: Vec<PathBuf>,
    group: Option<String>,
}

static OWNERS: Mutex<Owners> = Mutex::new(Owners { folders: Vec::new(), group: None });

/// From now on our files are below these folders, and the members of the group may have made them.
pub fn enter(folders: &[&Path], group: Option<&str>) {
    let owners = Owners {
        folders: folders.iter().map(|folder| (*folder).to_owned()).collect(),
        group: group.map(str::to_owned),
    };
    *OWNERS.lock().unwrap_or_else(PoisonError::into_inner) = owners;
}

fn owners() -> Owners {
    OWNERS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Whether a path is in the state folder or the stack.
pub fn is_ours(path: &Path) -> bool {
    owners().folders.iter().any(|folder| path.starts_with(folder))
}

/// What the kernel shows where it cannot say whom something belongs to: of root's over NFS, as a rule.
const NOBODY: u32 = 65_534;

impl Owners {
    fn has(&self, meta: &Metadata) -> bool {
        let uid = meta.uid();
        who::is_trusted(uid)
            || self.folders.iter().any(|folder| keeper(folder) == Some(uid))
            || self.group.as_deref().is_some_and(|group| is_member(meta, group))
    }
}

/// Whom a folder belongs to; where everybody may make folders that says nothing.
fn keeper(folder: &Path) -> Option<u32> {
    let meta = std::fs::metadata(folder).ok()?;
    let above = std::fs::metadata(std::fs::canonicalize(folder).ok()?.parent()?).ok()?;
    (above.mode() & 0o002 == 0).then(|| meta.uid())
}

fn is_member(meta: &Metadata, group: &str) -> bool {
    let Ok(Some(group)) = Group::from_name(group) else { return false };
    // Only who is in the group can have given it to the group.
    if meta.uid() == NOBODY && meta.gid() == group.gid.as_raw() {
        return true;
    }
    let Ok(Some(user)) = User::from_uid(Uid::from_raw(meta.uid())) else { return false };
    let Ok(name) = std::ffi::CString::new(user.name) else { return false };
    getgrouplist(&name, user.gid).is_ok_and(|all: Vec<Gid>| all.contains(&group.gid))
}

/// How one of our files is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    Read,
    /// To add to it; made if it is not there.
    Append,
    /// To read and change; made if it is not there.
    Change,
}

pub fn open(path: &Path, how: Open) -> Result<File> {
    let owners = owners();
    way_to(path, &owners)?;
    let mut options = OpenOptions::new();
    match how {
        Open::Read => options.read(true),
        Open::Append => options.append(true).create(true),
        Open::Change => options.read(true).write(true).create(true),
    };
    // A FIFO would hold us up, a terminal would become ours.
    options.mode(log_mode()).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    let doing = if how == Open::Read { "read" } else { "write" };
    let file = options.open(path).map_err(|error| match std::fs::symlink_metadata(path) {
        // What it is says more than that it cannot be opened.
        Ok(meta) => judge(path, &meta, &owners).err().unwrap_or_else(|| Trouble::io(doing, path, error)),
        Err(_) => Trouble::io(doing, path, error),
    })?;
    let meta = file.metadata().map_err(|e| Trouble::io(doing, path, e))?;
    judge(path, &meta, &owners)?;
    // What is changed under this name would change under the other.
    if how != Open::Read && meta.nlink() > 1 {
        return Err(refused(path, "it has another name as well"));
    }
    Ok(file)
}

pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, Open::Read)?.read_to_end(&mut bytes).map_err(|e| Trouble::io("read", path, e))?;
    Ok(bytes)
}

/// Replaces one of our files.
pub fn write(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<()> {
    check(path)?;
    atomic::write(path, bytes, mode)
}

/// Refuses what is not as one of our files is; that it is not there is no fault.
pub fn check(path: &Path) -> Result<()> {
    let owners = owners();
    way_to(path, &owners)?;
    match std::fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        other => judge(path, &other.map_err(|e| Trouble::io("look at", path, e))?, &owners),
    }
}

/// The same of a folder and those above it.
pub fn check_folder(path: &Path) -> Result<()> {
    way_to(&path.join("x"), &owners())
}

/// Folders in the state folder that are for nobody but those who work on the site.
pub const PRIVATE: &[&str] = &["locks", "logs", "requests", "snapshots"];

/// Makes a folder of ours and those above it.
pub fn make_folder(path: &Path) -> Result<()> {
    for base in owners().folders {
        let first = path.strip_prefix(&base).ok().and_then(|below| below.components().next());
        if let Some(first) = first.filter(|first| PRIVATE.iter().any(|name| first.as_os_str() == *name)) {
            private_folder(&base.join(first))?;
        }
    }
    std::fs::create_dir_all(path).map_err(|e| Trouble::io("create", path, e))
}

/// A folder of our own that is only for those who work on the site, made if it is not there.
pub fn private_folder(path: &Path) -> Result<()> {
    let fail = |e| Trouble::io("create", path, e);
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above).map_err(fail)?;
    }
    let mode = if log_mode() & 0o020 == 0 { 0o700 } else { 0o770 };
    match std::fs::DirBuilder::new().mode(mode).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(fail(e)),
        _ => {}
    }
    check_folder(path)?;
    shut(path)
}

/// Takes from others what they may do with one of our files or folders, where that is ours to take. A group keeps what
/// it has if it may write: then somebody has shared it by hand.
pub fn shut(path: &Path) -> Result<()> {
    let fail = |e| Trouble::io("change the mode of", path, e);
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    // What we may not open is for its owner to shut, and what is none of ours is refused where it is used.
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else { return Ok(()) };
    let meta = file.metadata().map_err(fail)?;
    if !meta.is_file() && !meta.is_dir() {
        return Ok(());
    }
    let mode = meta.mode() & 0o7777;
    let group = if mode & 0o020 == 0 && log_mode() & 0o020 == 0 { 0o070 } else { 0 };
    let wanted = mode & !(0o007 | group);
    if wanted == mode {
        return Ok(());
    }
    match file.set_permissions(std::fs::Permissions::from_mode(wanted)) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other.map_err(fail),
    }
}

/// Below our folders no link leads on, and no folder is that of a stranger.
fn way_to(path: &Path, owners: &Owners) -> Result<()> {
    let Some(base) =
        owners.folders.iter().filter(|base| path.starts_with(base)).max_by_key(|b| b.as_os_str().len())
    else {
        return Ok(());
    };
    let mut at = base.clone();
    for part in path.strip_prefix(base).unwrap_or(path).parent().into_iter().flat_map(Path::components) {
        at.push(part);
        let meta = match std::fs::symlink_metadata(&at) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(|e| Trouble::io("look at", &at, e))?,
        };
        if !meta.is_dir() {
            return Err(refused(&at, if meta.is_symlink() { "it is a link" } else { "it is not a folder" }));
        }
        if !owners.has(&meta) {
            return Err(stranger(&at, &meta));
        }
    }
    Ok(())
}

fn judge(path: &Path, meta: &Metadata, owners: &Owners) -> Result<()> {
    if meta.is_symlink() {
        return Err(refused(path, "it is a link"));
    }
    if !meta.is_file() {
        return Err(refused(path, "it is not a regular file"));
    }
    if owners.has(meta) { Ok(()) } else { Err(stranger(path, meta)) }
}

fn stranger(path: &Path, meta: &Metadata) -> Trouble {
    refused(path, &format!("it belongs to user {}, who does not work on this site", who::name(meta.uid())))
        .hint("members of `shared.group` do, as the site file names it, and the owner of the stack folder")
}

fn refused(path: &Path, why: &str) -> Trouble {
    let message = format!("{} is not used: {why}, and moonstack did not make it so", path.display());
    Trouble::new(Kind::Refused, message)
        .hint("find out who put it there; then remove it, or put back what was there")
        .fact("path", path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_a_regular_file_of_one_name_is_ours() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("victim"), "victim").unwrap();
        symlink(at("victim"), at("link")).unwrap();
        symlink("/dev/zero", at("zero")).unwrap();
        std::fs::hard_link(at("victim"), at("hard")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        for name in ["link", "zero", "fifo", "hard"] {
            for how in [Open::Read, Open::Append, Open::Change] {
                match open(&at(name), how) {
                    Err(error) => assert_eq!(error.kind(), Kind::Refused, "{name} {how:?}: {error}"),
                    // A backup may have given it another name.
                    Ok(_) => assert_eq!((name, how), ("hard", Open::Read)),
                }
            }
        }
        for name in ["link", "zero", "fifo"] {
            assert_eq!(write(&at(name), b"x", None).unwrap_err().kind(), Kind::Refused, "{name}");
        }
        assert_eq!(std::fs::read(at("victim")).unwrap(), b"victim");
        write(&at("new"), b"x", None).unwrap();
        assert_eq!(read(&at("new")).unwrap(), b"x");
        assert_eq!(read(&at("none")).unwrap_err().kind(), Kind::NotFound);
    }

    #[test]
    fn others_lose_what_they_could_do() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("deep/locks");
        private_folder(&folder).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        let file = folder.join("f");
        for (before, after) in [(0o644, 0o600), (0o664, 0o660), (0o600, 0o600), (0o666, 0o660)] {
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(before)).unwrap();
            shut(&file).unwrap();
            assert_eq!(mode(&file), after, "{before:o}");
        }
    }
}

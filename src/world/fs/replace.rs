//! Writes a file under a name that somebody gave. Links that lead to it stay, and so do its owner, its group, its
//! permission bits and its access control list. What is no file is written to as a stream, where that can be meant,
//! and never replaced.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{
    FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, XattrFlags, fallocate, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;

use super::eyes::{Eyes, LiveEyes};
use super::real::{self, is_open_file};
use crate::base::{Kind, Result, Trouble, atomic};
use crate::world::who;

/// How long a FIFO may be without a reader: one that is started beside us may be slower than we are.
const READER: Duration = Duration::from_secs(3);

/// Leaves `bytes` under that name. A file that is there keeps what it has; a new one gets `mode`, or the umask's.
pub fn write(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<()> {
    let place = real::target(&LiveEyes, path)?;
    let fail = |e| Trouble::io("write", path, e);
    // What a process has open is behind a link that only the kernel can follow.
    let meta =
        if is_open_file(&place) { std::fs::metadata(&place) } else { std::fs::symlink_metadata(&place) };
    let meta = match meta {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return atomic::write(&place, bytes, mode),
        other => other.map_err(fail)?,
    };
    let kind = meta.file_type();
    if kind.is_dir() {
        return Err(fail(io::ErrorKind::IsADirectory.into()));
    }
    if kind.is_file() && is_open_file(&place) {
        return OpenOptions::new()
            .append(true)
            .open(&place)
            .and_then(|mut f| f.write_all(bytes))
            .map_err(fail);
    }
    if kind.is_file() {
        return replace(&place, bytes, mode, &meta).map_err(|e| kept(path, &meta, e));
    }
    if kind.is_char_device() || kind.is_fifo() {
        return stream(&place).and_then(|mut f| f.write_all(bytes)).map_err(fail);
    }
    let what = if kind.is_block_device() { "a disk" } else { "a socket" };
    Err(Trouble::new(Kind::Refused, format!("{} is {what}, and is not written to", path.display()))
        .hint("give a file, a FIFO or a device such as /dev/null")
        .fact("path", path.display().to_string()))
}

/// What is in a file that is to be replaced; refuses one that is not `ours`. An empty one is nobody's, and what is no file
/// is not replaced anyway.
pub fn replaces_only(
    eyes: &dyn Eyes,
    path: &Path,
    what: &str,
    ours: &dyn Fn(&[u8]) -> bool,
) -> Result<Option<Vec<u8>>> {
    if !eyes.is_file(path)? || is_open_file(&real::target(eyes, path)?) {
        return Ok(None);
    }
    let there = eyes.read(path)?;
    if there.is_empty() || ours(&there) {
        return Ok(Some(there));
    }
    Err(Trouble::new(Kind::Exists, format!("{} is there, and is {what}", path.display()))
        .hint("give another file, or remove it first")
        .fact("path", path.display().to_string()))
}

/// A FIFO that nobody reads would hold us up for ever.
fn stream(place: &Path) -> io::Result<File> {
    let begin = Instant::now();
    let open = || {
        let follow = if is_open_file(place) { 0 } else { libc::O_NOFOLLOW };
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY | follow;
        OpenOptions::new().write(true).custom_flags(flags).open(place)
    };
    let file = loop {
        match open() {
            Err(e) if e.raw_os_error() == Some(libc::ENXIO) && begin.elapsed() < READER => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(e) if e.raw_os_error() == Some(libc::ENXIO) => {
                return Err(io::Error::other("nobody reads it"));
            }
            other => break other?,
        }
    };
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags - rustix::fs::OFlags::NONBLOCK)?;
    Ok(file)
}

/// By a new file that has all of the old one; where it may not have that, the old one is written to.
fn replace(place: &Path, bytes: &[u8], mode: Option<u32>, old: &Metadata) -> io::Result<()> {
    let mode = mode.unwrap_or(old.mode() & 0o7777);
    let mut unlike = false;
    let done = atomic::write_as(place, bytes, mode, |new| {
        let alike = make_alike(place, new, mode, old);
        unlike = alike.is_err();
        alike
    });
    if unlike { overwrite(place, bytes, mode, old) } else { done }
}

fn make_alike(place: &Path, new: &File, mode: u32, old: &Metadata) -> io::Result<()> {
    let now = new.metadata()?;
    let changed = |own: u32, old: u32| (own != old).then_some(old);
    let (uid, gid) = (changed(now.uid(), old.uid()), changed(now.gid(), old.gid()));
    if uid.is_some() || gid.is_some() {
        std::os::unix::fs::fchown(new, uid, gid)?;
    }
    // After the owner: giving a file away takes its special bits.
    new.set_permissions(Permissions::from_mode(mode))?;
    let old = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(place);
    match old {
        Ok(old) => copy_attributes(&old, new, mode),
        // Without a look at it nobody knows what it has.
        Err(e) => Err(e),
    }
}

/// What a file has beside its bits: lists of who may use it, and what people have noted on it.
fn is_kept(name: &str) -> bool {
    matches!(name, "system.posix_acl_access" | "system.nfs4_acl") || name.starts_with("user.")
}

fn copy_attributes(old: &File, new: &File, mode: u32) -> io::Result<()> {
    let (had, has) = (names(old)?, names(new)?);
    // A folder may give its new files a list that the old one does not have.
    for name in has.iter().filter(|name| !had.contains(name)) {
        fremovexattr(new, name.as_str())?;
        new.set_permissions(Permissions::from_mode(mode))?;
    }
    let mut value = vec![0_u8; LARGEST];
    for name in &had {
        let length = fgetxattr(old, name.as_str(), &mut value[..])?;
        fsetxattr(new, name.as_str(), value.get(..length).unwrap_or_default(), XattrFlags::empty())?;
    }
    Ok(())
}

/// What Linux allows for one attribute, and for the list of their names.
const LARGEST: usize = 64 * 1024;

fn names(file: &File) -> io::Result<Vec<String>> {
    let mut list = vec![0_u8; LARGEST];
    let length = match flistxattr(file, &mut list[..]) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => 0,
        other => other?,
    };
    let names = list.get(..length).unwrap_or_default().split(|b| *b == 0);
    let names = names.filter_map(|name| String::from_utf8(name.to_vec()).ok());
    Ok(names.filter(|name| is_kept(name)).collect())
}

/// Writes into the file itself, which a reader may see half done. Space for all is there before a byte is changed.
fn overwrite(place: &Path, bytes: &[u8], mode: u32, old: &Metadata) -> io::Result<()> {
    let file =
        OpenOptions::new().write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(place)?;
    let now = file.metadata()?;
    if (now.dev(), now.ino()) != (old.dev(), old.ino()) {
        return Err(io::Error::other("somebody else replaced it at this moment"));
    }
    if now.mode() & 0o7777 != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    let length = bytes.len() as u64;
    if length > now.len() {
        match fallocate(&file, FallocateFlags::empty(), 0, length) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) | Ok(()) => {}
            Err(e) => {
                let _ = file.set_len(now.len());
                return Err(e.into());
            }
        }
    }
    file.write_all_at(bytes, 0)?;
    file.set_len(length)?;
    file.sync_all()
}

/// Why a file that belongs to somebody else stays as it is.
fn kept(path: &Path, old: &Metadata, error: io::Error) -> Trouble {
    let trouble = Trouble::io("write", path, error);
    if !trouble.is(Kind::Permission) || who::is_trusted(old.uid()) {
        return trouble;
    }
    trouble.hint(format!("it belongs to user {}, who or root can change it", who::name(old.uid())))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_stays_and_its_target_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("git")).unwrap();
        std::fs::write(at("git/file"), "old").unwrap();
        std::fs::set_permissions(at("git/file"), Permissions::from_mode(0o640)).unwrap();
        symlink("git/file", at("link")).unwrap();
        symlink("git/new", at("dangling")).unwrap();
        write(&at("link"), b"new", None).unwrap();
        write(&at("dangling"), b"made", None).unwrap();
        assert_eq!(std::fs::read_link(at("link")).unwrap(), Path::new("git/file"));
        assert_eq!(std::fs::read(at("git/file")).unwrap(), b"new");
        assert_eq!(std::fs::metadata(at("git/file")).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(std::fs::read(at("git/new")).unwrap(), b"made");
        assert_eq!(std::fs::read_dir(at("git")).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn what_is_no_file_is_a_stream_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        nix::unistd::mkfifo(&at("fifo"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        let fifo = at("fifo");
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            File::open(fifo).unwrap().read_to_string(&mut text).unwrap();
            text
        });
        // More than a pipe holds: the reader gets all of it.
        let much = "x".repeat(300_000);
        write(&at("fifo"), much.as_bytes(), None).unwrap();
        assert_eq!(reader.join().unwrap(), much);
        assert!(std::fs::metadata(at("fifo")).unwrap().file_type().is_fifo());
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        assert_eq!(write(&at("socket"), b"x", None).unwrap_err().kind(), Kind::Refused);
        assert!(std::fs::metadata(at("socket")).unwrap().file_type().is_socket());
        std::fs::create_dir(at("folder")).unwrap();
        assert_eq!(write(&at("folder"), b"x", None).unwrap_err().kind(), Kind::Io);
    }

    #[test]
    fn what_a_file_has_beside_its_content_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "old").unwrap();
        let file = File::open(&path).unwrap();
        // user::rw-, user:1:r--, group::---, mask::r--, other::---
        let entry = |tag: u16, perm: u16, id: u32| {
            [&tag.to_le_bytes()[..], &perm.to_le_bytes()[..], &id.to_le_bytes()[..]].concat()
        };
        let none = u32::MAX;
        let mut list = 2_u32.to_le_bytes().to_vec();
        for (tag, perm, id) in [(1, 6, none), (2, 4, 1), (4, 0, none), (16, 4, none), (32, 0, none)] {
            list.extend(entry(tag, perm, id));
        }
        let mut kept = Vec::new();
        for (name, value) in [("system.posix_acl_access", &list[..]), ("user.note", b"mine")] {
            match fsetxattr(&file, name, value, XattrFlags::empty()) {
                Ok(()) => kept.push((name, value)),
                // Not every file system has both.
                Err(e) => assert_eq!(e, Errno::OPNOTSUPP, "{name}"),
            }
        }
        write(&path, b"new", None).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        let new = File::open(&path).unwrap();
        for (name, value) in kept {
            let mut now = vec![0; 256];
            let length = fgetxattr(&new, name, &mut now).unwrap();
            assert_eq!(now.get(..length).unwrap(), value, "{name}");
        }
    }

    #[test]
    fn a_file_is_written_to_where_a_new_one_could_not_be_like_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        for (before, after) in [("long before", "short"), ("", "longer than before")] {
            std::fs::write(&path, before).unwrap();
            let old = std::fs::metadata(&path).unwrap();
            overwrite(&path, after.as_bytes(), 0o640, &old).unwrap();
            let now = std::fs::metadata(&path).unwrap();
            assert_eq!((now.ino(), now.mode() & 0o7777), (old.ino(), 0o640));
            assert_eq!(std::fs::read(&path).unwrap(), after.as_bytes());
        }
    }
}

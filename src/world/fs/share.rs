//! Gives files and folders the group and the modes that a site wishes. No link is followed: each folder is opened,
//! and what is in it is opened from there, so that nobody can lead this out of the tree while it is at work.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::access::Access;
use crate::base::{Result, Trouble};

/// What is to be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    pub paths: Vec<PathBuf>,
    /// With everything below; otherwise these alone.
    pub deep: bool,
    pub access: Access,
    /// Folders that are somebody else's business: install trees.
    pub spare: Vec<PathBuf>,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shared {
    pub changed: usize,
    /// What is not as it should be and is not ours to change.
    pub foreign: Vec<PathBuf>,
}

/// The bits that something gets.
type Wanted<'a> = dyn Fn(u32, bool) -> u32 + 'a;

pub fn share(what: &Sharing) -> Result<Shared> {
    let wanted = |mode, is_folder| what.access.mode(mode, is_folder);
    let mut walk = Walk {
        access: &what.access,
        wanted: &wanted,
        deep: what.deep,
        all_or_none: false,
        spare: &what.spare,
        out: Shared::default(),
    };
    for path in &what.paths {
        walk.enter(path, path)?;
    }
    Ok(walk.out)
}

/// The same for what only the group uses, such as our own records; nobody loses anything by it. A folder in which
/// something is not ours to change stays as it is, so that it is looked through again.
pub fn admit(path: &Path, access: &Access, deep: bool) -> Result<Shared> {
    let wanted = |mode, is_folder| access.private_mode(mode, is_folder);
    let mut walk =
        Walk { access, wanted: &wanted, deep, all_or_none: true, spare: &[], out: Shared::default() };
    walk.enter(path, path)?;
    Ok(walk.out)
}

struct Walk<'a> {
    access: &'a Access,
    wanted: &'a Wanted<'a>,
    deep: bool,
    all_or_none: bool,
    spare: &'a [PathBuf],
    out: Shared,
}

impl Walk<'_> {
    /// `at` leads there now, `path` is what it is called. A folder is changed after what is in it: one that is right
    /// was gone through to its end.
    fn enter(&mut self, at: &Path, path: &Path) -> Result<()> {
        if self.spare.iter().any(|spared| path == spared) {
            return Ok(());
        }
        let Ok(seen) = std::fs::symlink_metadata(at) else { return Ok(()) };
        // A file of several names is one of an installed package.
        if !seen.is_dir() && (!seen.is_file() || seen.nlink() > 1) {
            return Ok(());
        }
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(at) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) => {
                self.out.foreign.push(path.to_owned());
                return Ok(());
            }
        };
        let fail = |e| Trouble::io("share", path, e);
        if self.deep && file.metadata().map_err(fail)?.is_dir() {
            let within = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
            for entry in std::fs::read_dir(&within).map_err(fail)?.flatten() {
                let name = entry.file_name();
                self.enter(&within.join(&name), &path.join(&name))?;
            }
            if self.all_or_none && !self.out.foreign.is_empty() {
                return Ok(());
            }
        }
        self.set(&file, path)
    }

    fn set(&mut self, file: &File, path: &Path) -> Result<()> {
        let fail = |e| Trouble::io("share", path, e);
        let meta = file.metadata().map_err(fail)?;
        if !meta.is_dir() && meta.nlink() > 1 {
            return Ok(());
        }
        let now = meta.mode() & 0o7777;
        let wanted = (self.wanted)(now, meta.is_dir());
        let group = self.access.gid.filter(|gid| *gid != meta.gid());
        if group.is_none() && wanted == now {
            return Ok(());
        }
        // The group first: giving a file away takes its special bits.
        let done = match group {
            Some(gid) => std::os::unix::fs::fchown(file, None, Some(gid)),
            None => Ok(()),
        };
        match done.and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(wanted))) {
            Ok(()) => self.out.changed += 1,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                self.out.foreign.push(path.to_owned());
            }
            Err(error) => return Err(fail(error)),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::fs::access::SharedPermissions;

    fn mode(path: &Path) -> u32 {
        std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    fn put(path: &Path, mode: u32) {
        std::fs::write(path, "x").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_tree_is_changed_and_nothing_that_it_leads_to() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        for folder in [&outside, &tree.join("a/b"), &tree.join("store")] {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        }
        put(&outside.join("secret"), 0o600);
        put(&tree.join("a/b/file"), 0o600);
        put(&tree.join("a/run"), 0o700);
        put(&tree.join("store/prefix"), 0o600);
        std::os::unix::fs::symlink(&outside, tree.join("a/out")).unwrap();
        std::os::unix::fs::symlink(outside.join("secret"), tree.join("a/link")).unwrap();
        std::fs::hard_link(outside.join("secret"), tree.join("a/hard")).unwrap();
        let wish = SharedPermissions { group: None, world_reads: true, group_writes: false };
        let gid = std::fs::metadata(&tree).unwrap().gid();
        let access = Access { wish, gid: Some(gid) };
        let what = Sharing { paths: vec![tree.clone()], deep: true, access, spare: vec![tree.join("store")] };
        let done = share(&what).unwrap();
        assert_eq!((mode(&tree), mode(&tree.join("a/b"))), (0o2755, 0o2755));
        assert_eq!((mode(&tree.join("a/b/file")), mode(&tree.join("a/run"))), (0o644, 0o755));
        assert_eq!((mode(&outside), mode(&outside.join("secret"))), (0o700, 0o600));
        assert_eq!((mode(&tree.join("store")), mode(&tree.join("store/prefix"))), (0o700, 0o600));
        assert!(done.foreign.is_empty() && done.changed == 5, "{done:?}");
        assert_eq!(share(&what).unwrap(), Shared::default(), "the second time there is nothing to do");
        let link = Sharing { paths: vec![tree.join("a/out")], ..what };
        assert_eq!(share(&link).unwrap().changed, 0, "a link at the top is not followed either");
    }

    #[test]
    fn only_what_is_named_is_changed_unless_deep() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        put(&tree.join("file"), 0o600);
        let wish = SharedPermissions { group: None, world_reads: true, group_writes: false };
        let what = Sharing {
            paths: vec![tree.clone()],
            deep: false,
            access: Access { wish, gid: None },
            spare: vec![],
        };
        std::fs::set_permissions(&tree, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(share(&what).unwrap().changed, 1);
        assert_eq!((mode(&tree), mode(&tree.join("file"))), (0o755, 0o600));
    }
}

//! What a path is, however it is written: links are followed here and nowhere else. Two paths are compared by where
//! their links lead, and what is written under a name goes to where its links lead.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::eyes::{Eyes, FileKind, Stat};
use crate::base::{Kind, Result, Trouble};
use crate::world::who;

/// Links that are followed for one path, as in the kernel.
const MAX_LINKS: usize = 40;

/// The path with all links followed, as far as it exists; what is not there is kept as it is written.
pub fn real_path(eyes: &dyn Eyes, path: &Path) -> PathBuf {
    let link = |at: &Path| {
        let stat = eyes.lstat(at).ok().filter(|stat| stat.kind == FileKind::Link);
        Ok(stat.and_then(|stat| Some((stat, eyes.read_link(at).ok()?))))
    };
    follow(path, &link, None).unwrap_or_else(|_| path.to_owned())
}

/// Where what is written under this name comes to lie: the links that lead there stay. An error where that cannot be
/// told, and where somebody else's link leads to what is not theirs: they could make us write what they may not.
pub fn target(eyes: &dyn Eyes, path: &Path) -> Result<PathBuf> {
    let link = |at: &Path| match eyes.lstat(at) {
        Ok(stat) if stat.kind == FileKind::Link => Ok(Some((stat, eyes.read_link(at)?))),
        Err(trouble) if !trouble.is(Kind::NotFound) => Err(trouble),
        _ => Ok(None),
    };
    follow(path, &link, Some(eyes))
}

/// A link that has been followed so far that this many parts of the path are left: there it leads.
struct Led {
    link: PathBuf,
    owner: u32,
    left: usize,
}

/// What a link is and where it points; nothing of what is no link.
type LookAtLink<'a> = dyn Fn(&Path) -> Result<Option<(Stat, PathBuf)>> + 'a;

/// `look` gives what a link is and where it points; `judge` looks whether links may lead where they do.
fn follow(path: &Path, look: &LookAtLink<'_>, judge: Option<&dyn Eyes>) -> Result<PathBuf> {
    let mut out = PathBuf::new();
    let mut rest: VecDeque<OsString> = parts(path).collect();
    let (mut links, mut led) = (0, Vec::<Led>::new());
    loop {
        while led.last().is_some_and(|led| led.left == rest.len()) {
            if let (Some(eyes), Some(led)) = (judge, led.pop()) {
                allowed(eyes, &led, &out)?;
            }
        }
        let Some(part) = rest.pop_front() else { return Ok(out) };
        match Path::new(&part).components().next() {
            Some(Component::ParentDir) => {
                out.pop();
                continue;
            }
            Some(Component::CurDir) | None => continue,
            _ => out.push(&part),
        }
        // What a process has open is there whatever the link says.
        let Some((stat, target)) = (!is_open_file(&out)).then(|| look(&out)).transpose()?.flatten() else {
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            return Err(Trouble::new(Kind::Io, format!("too many links lead on from {}", path.display())));
        }
        if judge.is_some() && !who::is_trusted(stat.uid) {
            led.push(Led { link: out.clone(), owner: stat.uid, left: rest.len() });
        }
        out.pop();
        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
            rest.push_front(part);
        }
    }
}

/// Whether a path is an open file of a process, as `/dev/stdout` and what a shell makes of `>(…)` are.
pub fn is_open_file(path: &Path) -> bool {
    path.starts_with("/proc") && path.parent().is_some_and(|folder| folder.ends_with("fd"))
}

/// Who made a link may use it to lead others to what is their own.
fn allowed(eyes: &dyn Eyes, led: &Led, to: &Path) -> Result<()> {
    let there = match eyes.lstat(to) {
        Err(trouble) if trouble.is(Kind::NotFound) => {
            to.parent().map_or_else(|| Ok(None), |folder| eyes.lstat(folder).map(Some))
        }
        other => other.map(Some),
    };
    let owner = match there {
        Ok(stat) => stat.map(|stat| stat.uid),
        Err(trouble) if trouble.is(Kind::NotFound) => None,
        Err(trouble) => return Err(trouble),
    };
    if owner == Some(led.owner) {
        return Ok(());
    }
    let (link, maker) = (led.link.display(), who::name(led.owner));
    Err(Trouble::new(
        Kind::Refused,
        format!("{link} is a link of user {maker} and leads to {}, which is not theirs", to.display()),
    )
    .hint(format!("if it is meant to lead there, make it yours or root's: `chown -h root {link}`"))
    .fact("path", link.to_string()))
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().map(|part| part.as_os_str().to_owned())
}

/// Whether two paths are one.
pub fn is_same_path(eyes: &dyn Eyes, a: &Path, b: &Path) -> bool {
    a == b || real_path(eyes, a) == real_path(eyes, b)
}

/// Whether a path is the folder or below it, as it is written or where links lead.
pub fn is_within(eyes: &dyn Eyes, path: &Path, folder: &Path) -> bool {
    path.starts_with(folder) || real_path(eyes, path).starts_with(real_path(eyes, folder))
}

/// The same for many paths, whose folders are looked at once each.
pub struct RealPaths<'e> {
    eyes: &'e dyn Eyes,
    folders: HashMap<PathBuf, PathBuf>,
}

impl<'e> RealPaths<'e> {
    pub fn new(eyes: &'e dyn Eyes) -> RealPaths<'e> {
        RealPaths { eyes, folders: HashMap::new() }
    }

    /// The path with the links of its folder followed; a link at its end is itself.
    pub fn entry(&mut self, path: &Path) -> PathBuf {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return real_path(self.eyes, path);
        };
        if let Some(real) = self.folders.get(folder) {
            return real.join(name);
        }
        let real = real_path(self.eyes, folder);
        self.folders.insert(folder.to_owned(), real.clone());
        real.join(name)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn links_are_followed_wherever_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(dir.path()).unwrap();
        std::fs::create_dir_all(root.join("real/store/a")).unwrap();
        symlink("real", root.join("link")).unwrap();
        symlink(root.join("link/store"), root.join("real/again")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let at = |path: &str| real_path(&LiveEyes, &root.join(path));
        assert_eq!(at("link/store/a"), root.join("real/store/a"));
        assert_eq!(at("link/again/a"), root.join("real/store/a"));
        assert_eq!(at("link/../link/store/./a"), root.join("real/store/a"));
        assert_eq!(at("link/store/not/there"), root.join("real/store/not/there"));
        assert_eq!(at("loop/x"), root.join("loop/x"));
        assert_eq!(target(&LiveEyes, &root.join("link/again/new")).unwrap(), root.join("real/store/new"));
        assert_eq!(target(&LiveEyes, &root.join("loop")).unwrap_err().kind(), Kind::Io);
        assert!(is_same_path(&LiveEyes, &root.join("link/store"), &root.join("real/again")));
        assert!(!is_same_path(&LiveEyes, &root.join("link/store"), &root.join("real")));
        assert!(is_within(&LiveEyes, &root.join("link/store/a"), &root.join("real")));
        let mut paths = RealPaths::new(&LiveEyes);
        assert_eq!(paths.entry(&root.join("real/again/a")), root.join("real/store/a"));
        // What is at the end is an entry of its folder, link or not.
        assert_eq!(paths.entry(&root.join("link/again")), root.join("real/again"));
    }
}

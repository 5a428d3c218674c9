//! What a path is, however it is written: two paths are compared by where their links lead.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::eyes::{Eyes, FileKind};

/// Links that are followed for one path, as in the kernel.
const MAX_LINKS: usize = 40;

/// The path with all links followed, as far as it exists; what is not there is kept as it is written.
pub fn real_path(eyes: &dyn Eyes, path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    let mut rest: VecDeque<OsString> = parts(path).collect();
    let mut links = 0;
    while let Some(part) = rest.pop_front() {
        match Path::new(&part).components().next() {
            Some(Component::ParentDir) => {
                out.pop();
                continue;
            }
            Some(Component::CurDir) | None => continue,
            _ => out.push(&part),
        }
        let is_link = eyes.lstat(&out).is_ok_and(|stat| stat.kind == FileKind::Link);
        let Some(target) = is_link.then(|| eyes.read_link(&out).ok()).flatten() else { continue };
        links += 1;
        if links > MAX_LINKS {
            return path.to_owned();
        }
        out.pop();
        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
            rest.push_front(part);
        }
    }
    out
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
        assert!(is_same_path(&LiveEyes, &root.join("link/store"), &root.join("real/again")));
        assert!(!is_same_path(&LiveEyes, &root.join("link/store"), &root.join("real")));
        assert!(is_within(&LiveEyes, &root.join("link/store/a"), &root.join("real")));
        let mut paths = RealPaths::new(&LiveEyes);
        assert_eq!(paths.entry(&root.join("real/again/a")), root.join("real/store/a"));
        // What is at the end is an entry of its folder, link or not.
        assert_eq!(paths.entry(&root.join("link/again")), root.join("real/again"));
    }
}

//! What a plan pretends to have changed: files, folders and removals laid over the real ones. Later looks of the
//! same plan see them; nothing is written.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::eyes::{Eyes, FileKind, LiveEyes, Parts, Stat};
use crate::base::{Result, Trouble, digest};

/// One pretended thing.
#[derive(Debug, Clone)]
enum OverlayEntry {
    File {
        bytes: Arc<Vec<u8>>,
        mode: u32,
        modified: SystemTime,
        number: u64,
    },
    /// A new folder; what a real one of that name holds is hidden.
    Folder {
        number: u64,
    },
    Gone,
    /// Moved here from a real path.
    Moved(PathBuf),
    Link {
        target: PathBuf,
        number: u64,
    },
}

/// Links that are followed one after the other, as in the kernel.
const MAX_LINKS: usize = 40;

/// What a path is once the overlay was asked.
enum OverlayLookup {
    Planned(OverlayEntry),
    Real(PathBuf),
    Nothing,
}

/// The pretended changes of one plan.
#[derive(Debug, Default)]
pub struct Overlay {
    entries: Mutex<BTreeMap<PathBuf, OverlayEntry>>,
    numbers: AtomicU64,
}

impl Overlay {
    fn entries(&self) -> MutexGuard<'_, BTreeMap<PathBuf, OverlayEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Nothing was pretended so far.
    pub fn is_empty(&self) -> bool {
        self.entries().is_empty()
    }

    /// Whether anything at or below the path is pretended.
    pub fn covers(&self, path: &Path) -> bool {
        let path = normal(path);
        self.entries().range(path.clone()..).next().is_some_and(|(at, _)| at.starts_with(&path))
            || path.ancestors().skip(1).any(|above| self.entries().contains_key(above))
    }

    /// The path without pretended links on the way, and with `last` without one at its end.
    fn place(&self, path: &Path, last: bool) -> PathBuf {
        let entries = self.entries();
        let mut path = normal(path);
        for _ in 0..MAX_LINKS {
            let link = path.ancestors().collect::<Vec<_>>().into_iter().rev().find_map(|at| {
                let Some(OverlayEntry::Link { target, .. }) = entries.get(at) else { return None };
                let rest = path.strip_prefix(at).ok().filter(|rest| last || !rest.as_os_str().is_empty())?;
                Some(at.parent().unwrap_or(at).join(target).join(rest))
            });
            match link {
                Some(further) => path = normal(&further),
                None => break,
            }
        }
        path
    }

    /// A link at the end of the path is found, and those on the way are followed.
    fn find(&self, path: &Path) -> OverlayLookup {
        let path = self.place(path, false);
        let entries = self.entries();
        let (mut at, mut real) = (PathBuf::new(), Some(PathBuf::new()));
        let mut last = None;
        for part in path.components() {
            at.push(part);
            if let Some(real) = &mut real {
                real.push(part);
            }
            last = entries.get(&at).cloned();
            match &last {
                Some(OverlayEntry::Moved(from)) => {
                    real = Some(from.clone());
                    last = None;
                }
                Some(_) => real = None,
                None => {}
            }
        }
        match (last, real) {
            (Some(OverlayEntry::Gone), _) | (None, None) => OverlayLookup::Nothing,
            (Some(entry), _) => OverlayLookup::Planned(entry),
            (None, Some(real)) => OverlayLookup::Real(real),
        }
    }

    pub fn write(&self, path: &Path, bytes: Vec<u8>, mode: Option<u32>) {
        let old = LayeredEyes::mode(self, path);
        let file = OverlayEntry::File {
            bytes: Arc::new(bytes),
            mode: mode.or(old).unwrap_or(0o644),
            modified: SystemTime::now(),
            number: self.number(),
        };
        let path = self.place(path, false);
        self.entries().insert(path, file);
    }

    /// The folder and those above it that are not there.
    pub fn make_folder(&self, path: &Path) {
        let mut missing: Vec<PathBuf> = Vec::new();
        for folder in self.place(path, true).ancestors() {
            match self.find(folder) {
                OverlayLookup::Planned(OverlayEntry::Folder { .. }) => break,
                OverlayLookup::Real(real) if real.is_dir() => break,
                _ => missing.push(folder.to_owned()),
            }
        }
        for folder in missing {
            let number = self.number();
            self.entries().insert(folder, OverlayEntry::Folder { number });
        }
    }

    pub fn point(&self, path: &Path, target: &Path) {
        let link = OverlayEntry::Link { target: target.to_owned(), number: self.number() };
        let path = self.place(path, false);
        self.entries().insert(path, link);
    }

    pub fn remove(&self, path: &Path) {
        let path = self.place(path, false);
        let mut entries = self.entries();
        entries.retain(|at, _| !at.starts_with(&path));
        entries.insert(path, OverlayEntry::Gone);
    }

    pub fn rename(&self, from: &Path, to: &Path) {
        let (from, to) = (self.place(from, false), self.place(to, false));
        let top = match self.find(&from) {
            OverlayLookup::Real(real) => OverlayEntry::Moved(real),
            OverlayLookup::Planned(entry) => entry,
            OverlayLookup::Nothing => return,
        };
        let below: Vec<(PathBuf, OverlayEntry)> = self
            .entries()
            .iter()
            .filter(|(at, _)| at.starts_with(&from) && **at != from)
            .filter_map(|(at, entry)| Some((to.join(at.strip_prefix(&from).ok()?), entry.clone())))
            .collect();
        self.remove(&from);
        let mut entries = self.entries();
        entries.retain(|at, _| !at.starts_with(&to));
        entries.insert(to, top);
        entries.extend(below);
    }
}

/// Without `.` and `..`, as a path that is not there can only be read.
fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for part in whole.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// A file that a plan has pretended to write.
struct Pretended(Arc<Vec<u8>>);

impl Parts for Pretended {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let mut rest = self.0.get(start..).unwrap_or_default();
        rest.read(buffer)
    }
}

/// Looks at the machine as the plan so far would have left it.
#[derive(Debug)]
pub struct LayeredEyes(pub Arc<Overlay>);

impl LayeredEyes {
    fn mode(overlay: &Overlay, path: &Path) -> Option<u32> {
        match overlay.find(path) {
            OverlayLookup::Planned(OverlayEntry::File { mode, .. }) => Some(mode),
            OverlayLookup::Real(real) => LiveEyes.stat(&real).ok().map(|stat| stat.mode),
            _ => None,
        }
    }

    /// Follows what is real, and gives what is pretended.
    fn look<T>(
        &self,
        path: &Path,
        what: &str,
        real: impl FnOnce(&Path) -> Result<T>,
        pretended: impl FnOnce(&OverlayEntry) -> std::io::Result<T>,
    ) -> Result<T> {
        match self.0.find(path) {
            OverlayLookup::Real(there) => real(&there),
            OverlayLookup::Planned(entry) => pretended(&entry).map_err(|e| Trouble::io(what, path, e)),
            OverlayLookup::Nothing => Err(Trouble::io(what, path, std::io::ErrorKind::NotFound.into())),
        }
    }

    fn stat_of(entry: &OverlayEntry) -> std::io::Result<Stat> {
        let (kind, size, mode, modified, inode) = match entry {
            OverlayEntry::File { bytes, mode, modified, number } => {
                (FileKind::File, bytes.len() as u64, *mode, *modified, *number)
            }
            OverlayEntry::Folder { number } => (FileKind::Folder, 0, 0o755, SystemTime::UNIX_EPOCH, *number),
            OverlayEntry::Link { number, .. } => (FileKind::Link, 0, 0o777, SystemTime::UNIX_EPOCH, *number),
            OverlayEntry::Gone | OverlayEntry::Moved(_) => return Err(std::io::ErrorKind::NotFound.into()),
        };
        let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
        Ok(Stat { kind, size, mode, uid, gid, modified, device: 0, inode })
    }

    fn bytes_of(entry: &OverlayEntry) -> std::io::Result<Arc<Vec<u8>>> {
        match entry {
            OverlayEntry::File { bytes, .. } => Ok(Arc::clone(bytes)),
            OverlayEntry::Folder { .. } => Err(std::io::ErrorKind::IsADirectory.into()),
            OverlayEntry::Gone | OverlayEntry::Moved(_) | OverlayEntry::Link { .. } => {
                Err(std::io::ErrorKind::NotFound.into())
            }
        }
    }

    /// The same, through a link at the end of the path.
    fn through<T>(
        &self,
        path: &Path,
        what: &str,
        real: impl FnOnce(&Path) -> Result<T>,
        pretended: impl FnOnce(&OverlayEntry) -> std::io::Result<T>,
    ) -> Result<T> {
        self.look(&self.0.place(path, true), what, real, |entry| match entry {
            // Links that lead in a circle.
            OverlayEntry::Link { .. } => Err(std::io::ErrorKind::NotFound.into()),
            entry => pretended(entry),
        })
    }
}

impl Eyes for LayeredEyes {
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        self.through(path, "read", |p| LiveEyes.read(p), |e| Self::bytes_of(e).map(|b| (*b).clone()))
    }

    fn read_own(&self, path: &Path) -> Result<Vec<u8>> {
        self.through(path, "read", |p| LiveEyes.read_own(p), |e| Self::bytes_of(e).map(|b| (*b).clone()))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read>> {
        let whole = |e: &OverlayEntry| -> std::io::Result<Box<dyn Read>> {
            Ok(Box::new(Cursor::new(Self::bytes_of(e)?.as_ref().clone())))
        };
        self.through(path, "read", |p| LiveEyes.open(p), whole)
    }

    fn open_parts(&self, path: &Path) -> Result<Box<dyn Parts>> {
        let whole = |e: &OverlayEntry| -> std::io::Result<Box<dyn Parts>> {
            Ok(Box::new(Pretended(Self::bytes_of(e)?)))
        };
        self.through(path, "read", |p| LiveEyes.open_parts(p), whole)
    }

    fn entries(&self, path: &Path) -> Result<Vec<(String, FileKind)>> {
        let mut entries: BTreeMap<String, FileKind> =
            self.through(path, "list", |p| LiveEyes.entries(p), |_| Ok(Vec::new()))?.into_iter().collect();
        let folder = self.0.place(path, true);
        for (at, entry) in self.0.entries().iter().filter(|(at, _)| at.parent() == Some(folder.as_path())) {
            let Some(name) = at.file_name().map(|n| n.to_string_lossy().into_owned()) else { continue };
            match entry {
                OverlayEntry::Gone => {
                    entries.remove(&name);
                }
                OverlayEntry::Moved(from) => {
                    entries.insert(name, LiveEyes.lstat(from)?.kind);
                }
                entry => {
                    entries.insert(name, Self::stat_of(entry).map_err(|e| Trouble::io("list", at, e))?.kind);
                }
            }
        }
        Ok(entries.into_iter().collect())
    }

    fn lstat(&self, path: &Path) -> Result<Stat> {
        self.look(path, "look at", |p| LiveEyes.lstat(p), Self::stat_of)
    }

    fn stat(&self, path: &Path) -> Result<Stat> {
        self.through(path, "look at", |p| LiveEyes.stat(p), Self::stat_of)
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf> {
        self.look(
            path,
            "read the link",
            |p| LiveEyes.read_link(p),
            |e| match e {
                OverlayEntry::Link { target, .. } => Ok(target.clone()),
                _ => Err(std::io::ErrorKind::InvalidInput.into()),
            },
        )
    }

    fn digest(&self, path: &Path) -> Result<String> {
        self.through(path, "read", |p| LiveEyes.digest(p), |e| Self::bytes_of(e).map(|b| digest::bytes(&b)))
    }

    fn tree_digest(&self, path: &Path) -> Result<String> {
        if !self.0.covers(path) {
            return LiveEyes.tree_digest(path);
        }
        let mut tree = digest::Tree::default();
        self.add_to(&mut tree, path, Path::new(""))?;
        Ok(tree.finish())
    }
}

impl LayeredEyes {
    fn add_to(&self, tree: &mut digest::Tree, path: &Path, relative: &Path) -> Result<()> {
        let stat = self.lstat(path)?;
        match stat.kind {
            FileKind::Folder => {
                tree.folder(relative);
                for name in self.list(path)? {
                    self.add_to(tree, &path.join(&name), &relative.join(&name))?;
                }
            }
            FileKind::File => tree.file(relative, stat.mode, &self.digest(path)?),
            FileKind::Link => tree.link(relative, &self.read_link(path)?),
            FileKind::Other => tree.other(relative),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

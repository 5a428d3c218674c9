//! Looks at files and folders. Domains read through this trait, so that a plan can show them what an
//! earlier pretended change would have left behind.

use std::io::Read;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::Serialize;

use super::own_files;
use crate::base::{Kind, Result, Trouble, digest};

/// What a path is, without following it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    File,
    Folder,
    Link,
    Other,
}

impl FileKind {
    fn of(kind: std::fs::FileType) -> Self {
        if kind.is_symlink() {
            Self::Link
        } else if kind.is_dir() {
            Self::Folder
        } else if kind.is_file() {
            Self::File
        } else {
            Self::Other
        }
    }
}

/// The part of a file's metadata that anybody here asks for.
#[derive(Debug, Clone)]
pub struct Stat {
    pub kind: FileKind,
    pub size: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub modified: SystemTime,
    pub device: u64,
    pub inode: u64,
}

/// A file of which only parts are read, wherever they are.
pub trait Parts: Send {
    fn size(&self) -> u64;
    /// Reads as much as there is; less only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize>;
}

/// Everything that looks at files.
pub trait Eyes: Send + Sync {
    fn read(&self, path: &Path) -> Result<Vec<u8>>;
    /// One of our own files, where others may write too.
    fn read_own(&self, path: &Path) -> Result<Vec<u8>>;
    /// For what is too large to hold.
    fn open(&self, path: &Path) -> Result<Box<dyn Read>>;
    /// For what is read in parts.
    fn open_parts(&self, path: &Path) -> Result<Box<dyn Parts>>;
    /// What is in a folder, sorted by name. The kinds come with the listing, so that a walk need not look at each.
    fn entries(&self, path: &Path) -> Result<Vec<(String, FileKind)>>;
    /// Without following a link at the end of the path.
    fn lstat(&self, path: &Path) -> Result<Stat>;
    /// Following links.
    fn stat(&self, path: &Path) -> Result<Stat>;
    fn read_link(&self, path: &Path) -> Result<PathBuf>;
    /// SHA-256 of a file, without holding it in memory.
    fn digest(&self, path: &Path) -> Result<String>;
    /// SHA-256 over a whole folder, see [`digest::tree`].
    fn tree_digest(&self, path: &Path) -> Result<String>;

    /// Names in a folder, sorted.
    fn list(&self, path: &Path) -> Result<Vec<String>> {
        Ok(self.entries(path)?.into_iter().map(|(name, _)| name).collect())
    }

    fn read_text(&self, path: &Path) -> Result<String> {
        String::from_utf8(self.read(path)?).map_err(|e| {
            Trouble::new(
                Kind::Corrupt,
                format!("{} is not UTF-8 text (byte {})", path.display(), e.utf8_error().valid_up_to()),
            )
            .fact("path", path.display().to_string())
        })
    }

    /// Whether something has this name, be it a link that leads nowhere. An error where that cannot be told.
    fn exists(&self, path: &Path) -> Result<bool> {
        Ok(there(self.lstat(path))?.is_some())
    }

    /// Whether a file is there, or a link to one. An error where that cannot be told.
    fn is_file(&self, path: &Path) -> Result<bool> {
        Ok(there(self.stat(path))?.is_some_and(|stat| stat.kind == FileKind::File))
    }

    /// Whether a folder is there, or a link to one. An error where that cannot be told.
    fn is_folder(&self, path: &Path) -> Result<bool> {
        Ok(there(self.stat(path))?.is_some_and(|stat| stat.kind == FileKind::Folder))
    }

    /// For who chooses among places: one that cannot be looked at is passed by.
    fn finds_file(&self, path: &Path) -> bool {
        self.is_file(path).unwrap_or(false)
    }

    /// For who chooses among places: one that cannot be looked at is passed by.
    fn finds_folder(&self, path: &Path) -> bool {
        self.is_folder(path).unwrap_or(false)
    }
}

/// None, where nothing has the name.
fn there(looked: Result<Stat>) -> Result<Option<Stat>> {
    match looked {
        Err(trouble) if trouble.is(Kind::NotFound) => Ok(None),
        other => other.map(Some),
    }
}

/// From this size on a file is read in halves side by side. Of a large one most of the time goes into the memory
/// that it needs: a database of 20 MB was there after 15 ms instead of 28.
const LARGE: u64 = 4 * 1024 * 1024;

fn read_whole(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = std::fs::File::open(path)?;
    let size = file.metadata()?.len();
    if size < LARGE {
        let mut bytes = Vec::with_capacity(size as usize);
        file.read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
    let half = bytes.len() / 2;
    let (first, second) = bytes.split_at_mut(half);
    let at = half as u64;
    let whole = std::thread::scope(|scope| {
        let other = scope.spawn(|| file.read_exact_at(second, at));
        let one = file.read_exact_at(first, 0);
        one.and(other.join().unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into())))
    });
    // A file that grows or shrinks meanwhile has no halves.
    let more = file.read_at(&mut [0], size)? > 0;
    if whole.is_ok() && !more { Ok(bytes) } else { std::fs::read(path) }
}

/// A file on disk, with its size as it was when it was opened.
struct OpenFile {
    file: std::fs::File,
    size: u64,
}

impl Parts for OpenFile {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        let mut done = 0;
        while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(done)
    }
}

/// Looks at the real file system.
#[derive(Debug, Default)]
pub struct LiveEyes;

impl LiveEyes {
    fn convert(meta: &std::fs::Metadata) -> Stat {
        use std::os::unix::fs::MetadataExt as _;
        Stat {
            kind: FileKind::of(meta.file_type()),
            size: meta.len(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            modified: meta.modified().unwrap_or(SystemTime::UNIX_EPOCH),
            device: meta.dev(),
            inode: meta.ino(),
        }
    }
}

/// What would be below a file, or have a name that nothing can have, is not there.
fn absent(error: std::io::Error) -> std::io::Error {
    use std::io::ErrorKind::{InvalidFilename, InvalidInput, NotADirectory, NotFound};
    if matches!(error.kind(), NotADirectory | InvalidFilename | InvalidInput) {
        NotFound.into()
    } else {
        error
    }
}

impl Eyes for LiveEyes {
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        read_whole(path).map_err(|e| Trouble::io("read", path, e))
    }

    fn read_own(&self, path: &Path) -> Result<Vec<u8>> {
        own_files::read(path)
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Read>> {
        let file = std::fs::File::open(path).map_err(|e| Trouble::io("read", path, e))?;
        Ok(Box::new(file))
    }

    fn open_parts(&self, path: &Path) -> Result<Box<dyn Parts>> {
        let fail = |e| Trouble::io("read", path, e);
        let file = std::fs::File::open(path).map_err(fail)?;
        let size = file.metadata().map_err(fail)?.len();
        Ok(Box::new(OpenFile { file, size }))
    }

    fn entries(&self, path: &Path) -> Result<Vec<(String, FileKind)>> {
        let fail = |e| Trouble::io("list", path, e);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            // Some file systems keep no kinds with their names; what goes away before it is looked at is not there.
            let kind = match entry.file_type() {
                Ok(kind) => FileKind::of(kind),
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(fail(e)),
            };
            entries.push((entry.file_name().to_string_lossy().into_owned(), kind));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(entries)
    }

    fn lstat(&self, path: &Path) -> Result<Stat> {
        std::fs::symlink_metadata(path)
            .map(|m| Self::convert(&m))
            .map_err(|e| Trouble::io("look at", path, absent(e)))
    }

    fn stat(&self, path: &Path) -> Result<Stat> {
        std::fs::metadata(path)
            .map(|m| Self::convert(&m))
            .map_err(|e| Trouble::io("look at", path, absent(e)))
    }

    fn read_link(&self, path: &Path) -> Result<PathBuf> {
        std::fs::read_link(path).map_err(|e| Trouble::io("read the link", path, e))
    }

    fn digest(&self, path: &Path) -> Result<String> {
        digest::file(path)
    }

    fn tree_digest(&self, path: &Path) -> Result<String> {
        digest::tree(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_read_whole() {
        let dir = tempfile::tempdir().unwrap();
        for size in [0, 1, LARGE - 1, LARGE, LARGE + 1, 3 * LARGE + 7] {
            let bytes: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
            let path = dir.path().join(size.to_string());
            std::fs::write(&path, &bytes).unwrap();
            assert!(LiveEyes.read(&path).unwrap() == bytes, "{size}");
        }
        let parts = LiveEyes.open_parts(&dir.path().join(LARGE.to_string())).unwrap();
        let mut buffer = [0; 9];
        for (offset, expected) in [(0, 9), (LARGE - 9, 9), (LARGE - 4, 4), (LARGE, 0), (LARGE + 9, 0)] {
            assert_eq!(parts.read_at(&mut buffer, offset).unwrap(), expected, "{offset}");
            let wanted = (offset..).take(expected).map(|i| (i * 31 % 251) as u8);
            assert!(buffer.iter().copied().take(expected).eq(wanted), "{offset}");
        }
        assert_eq!(parts.size(), LARGE);
        assert_eq!(LiveEyes.read(dir.path()).unwrap_err().kind(), Kind::Io);
        assert_eq!(LiveEyes.read(&dir.path().join("none")).unwrap_err().kind(), Kind::NotFound);
    }
}

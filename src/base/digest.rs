//! SHA-256 of bytes, files and trees.

use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::{Result, Trouble};

pub fn bytes(data: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(data))
}

pub fn file(path: &Path) -> Result<String> {
    let fail = |e| Trouble::io("read", path, e);
    // Of a FIFO or a device there may be no end.
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(fail(std::io::Error::other("it is not a regular file")));
    }
    // A buffer that is filled without being cleared before: most files are small, and clearing would cost more.
    let mut file = BufReader::with_capacity(64 * 1024, std::fs::File::open(path).map_err(fail)?);
    let mut hasher = Sha256::new();
    loop {
        let read = file.fill_buf().map_err(fail)?;
        if read.is_empty() {
            return Ok(HEXLOWER.encode(&hasher.finalize()));
        }
        hasher.update(read);
        let length = read.len();
        file.consume(length);
    }
}

/// One digest of a whole tree: relative path, kind, executable bit, content or link target of every entry.
/// Times and owners do not count. A file that vanishes or cannot be read is an error, not a gap.
pub fn tree(root: &Path) -> Result<String> {
    let mut tree = Tree::default();
    for entry in walkdir::WalkDir::new(root).follow_links(false).sort_by_file_name() {
        let entry = entry.map_err(|e| {
            let path = e.path().unwrap_or(root).to_owned();
            Trouble::io(
                "read",
                &path,
                e.into_io_error().unwrap_or_else(|| std::io::Error::other("link loop")),
            )
        })?;
        let relative = entry.path().strip_prefix(root).unwrap_or(entry.path());
        let kind = entry.file_type();
        let fail = |e| Trouble::io("read", entry.path(), e);
        if kind.is_symlink() {
            tree.link(relative, &std::fs::read_link(entry.path()).map_err(fail)?);
        } else if kind.is_dir() {
            tree.folder(relative);
        } else if kind.is_file() {
            let meta = std::fs::metadata(entry.path()).map_err(fail)?;
            tree.file(relative, meta.permissions().mode(), &file(entry.path())?);
        } else {
            tree.other(relative);
        }
    }
    Ok(tree.finish())
}

/// The digest of a tree whose entries come one by one: a folder before what it holds, names sorted.
#[derive(Default)]
pub struct Tree(Sha256);

impl Tree {
    pub fn folder(&mut self, relative: &Path) {
        self.entry(relative, "d");
    }

    pub fn file(&mut self, relative: &Path, mode: u32, digest: &str) {
        let bit = if mode & 0o111 == 0 { '-' } else { 'x' };
        self.entry(relative, &format!("f{bit} {digest}"));
    }

    pub fn link(&mut self, relative: &Path, target: &Path) {
        self.entry(relative, &format!("l {}", bytes(target.as_os_str().as_bytes())));
    }

    pub fn other(&mut self, relative: &Path) {
        self.entry(relative, "o");
    }

    fn entry(&mut self, relative: &Path, line: &str) {
        self.0.update(relative.as_os_str().as_bytes());
        self.0.update([0]);
        self.0.update(line.as_bytes());
        self.0.update([b'\n']);
    }

    pub fn finish(self) -> String {
        HEXLOWER.encode(&self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_digest_sees_content_mode_and_links_but_not_time() {
        let dir = tempfile::tempdir().unwrap();
        let f = dir.path().join("f");
        std::fs::write(&f, "x").unwrap();
        let one = tree(dir.path()).unwrap();
        std::fs::write(&f, "x").unwrap();
        assert_eq!(tree(dir.path()).unwrap(), one);
        std::fs::set_permissions(&f, std::fs::Permissions::from_mode(0o755)).unwrap();
        let two = tree(dir.path()).unwrap();
        assert_ne!(one, two);
        std::os::unix::fs::symlink("f", dir.path().join("l")).unwrap();
        assert_ne!(tree(dir.path()).unwrap(), two);
    }
}

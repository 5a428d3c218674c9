//! Write a file so that a reader sees the old content or the new one, also after a power cut:
//! a temporary file beside it, fsync, rename, fsync of the folder.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Result, Trouble};

/// Replaces `path` by `bytes`. An existing file keeps its mode; a new one gets `mode`, or the umask's.
pub fn write(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<()> {
    let mode = mode.or_else(|| std::fs::metadata(path).ok().map(|m| m.permissions().mode() & 0o7777));
    write_as(path, bytes, mode.unwrap_or(0o666), |file| match mode {
        // The mode given at creation passes through the umask; an explicit one must not.
        Some(mode) => file.set_permissions(std::fs::Permissions::from_mode(mode)),
        None => Ok(()),
    })
    .map_err(|e| Trouble::io("write", path, e))
}

/// The same with what else is to be done to the new file before it has the name. Where that fails, all stays as it was.
pub fn write_as(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    prepare: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    let prefix = temporary(std::process::id());
    builder.prefix(&prefix).permissions(std::fs::Permissions::from_mode(mode));
    let mut temp = builder.tempfile_in(folder)?;
    temp.write_all(bytes)?;
    prepare(temp.as_file())?;
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|e| e.error)?;
    File::open(folder).and_then(|f| f.sync_all())
}

/// How the names of the temporary files of a process begin: one that was killed leaves them behind.
pub fn temporary(pid: u32) -> String {
    format!(".moonstack-{pid}-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_keeps_the_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        write(&path, b"one", Some(0o640)).unwrap();
        write(&path, b"two", None).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn a_missing_folder_is_named() {
        let error = write(Path::new("/nonexistent/f"), b"", None).unwrap_err();
        assert_eq!(error.kind(), crate::base::Kind::NotFound);
    }
}

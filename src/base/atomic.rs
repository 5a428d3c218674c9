//! Write a file so that a reader sees the old content or the new one, also after a power cut:
//! a temporary file beside it, fsync, rename, fsync of the folder.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{Result, Trouble};

/// Replaces `path` by `bytes`. An existing file keeps its mode; a new one gets `mode`, or the umask's.
pub fn write(path: &Path, bytes: &[u8], mode: Option<u32>) -> Result<()> {
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let fail = |e: std::io::Error| Trouble::io("write", path, e);
    let mode = mode.or_else(|| std::fs::metadata(path).ok().map(|m| m.permissions().mode() & 0o7777));
    let mut builder = tempfile::Builder::new();
    let prefix = temporary(std::process::id());
    builder.prefix(&prefix).permissions(std::fs::Permissions::from_mode(mode.unwrap_or(0o666)));
    let mut temp = builder.tempfile_in(folder).map_err(fail)?;
    temp.write_all(bytes).map_err(fail)?;
    if let Some(mode) = mode {
        // The mode given at creation passes through the umask; an explicit one must not.
        temp.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).map_err(fail)?;
    }
    temp.as_file().sync_all().map_err(fail)?;
    temp.persist(path).map_err(|e| fail(e.error))?;
    std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(fail)
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

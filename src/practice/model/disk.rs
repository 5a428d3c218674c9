//! The only place of the practice site that writes. Practice plays Spack, a program of its own, so its files
//! do not pass through moonstack's seam; keeping the writing here keeps that exception small.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::base::{Result, Trouble};

pub fn folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| Trouble::io("create", path, e))
}

pub fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    if let Some(parent) = path.parent() {
        folder(parent)?;
    }
    std::fs::write(path, bytes).map_err(|e| Trouble::io("write", path, e))
}

/// Writes a program that can be run.
pub fn program(path: &Path, text: &str) -> Result<()> {
    write(path, text)?;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode).map_err(|e| Trouble::io("write", path, e))
}

/// As Spack replaces its own files: a temporary one beside it, then a rename.
pub fn replace(path: &Path, temporary: &Path, bytes: &[u8]) -> Result<()> {
    write(temporary, bytes)?;
    std::fs::rename(temporary, path).map_err(|e| Trouble::io("replace", path, e))
}

/// The temporary name that Spack's database uses.
pub fn temporary_name(path: &Path) -> PathBuf {
    let host = nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!("{name}.{host}.{}.temp", nix::unistd::getpid()))
}

pub fn append(path: &Path, text: &str) -> Result<()> {
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .and_then(|mut f| f.write_all(text.as_bytes()))
        .map_err(|e| Trouble::io("write", path, e))
}

/// Makes sure that the file exists, keeping what is in it.
pub fn touch(path: &Path) -> Result<()> {
    parent_folder(path)?;
    append(path, "")
}

fn parent_folder(path: &Path) -> Result<()> {
    path.parent().map_or(Ok(()), folder)
}

pub fn link(target: &Path, at: &Path) -> Result<()> {
    parent_folder(at)?;
    std::os::unix::fs::symlink(target, at).map_err(|e| Trouble::io("link", at, e))
}

pub fn hard_link(target: &Path, at: &Path) -> Result<()> {
    parent_folder(at)?;
    std::fs::hard_link(target, at).map_err(|e| Trouble::io("link", at, e))
}

pub fn copy(from: &Path, at: &Path) -> Result<()> {
    parent_folder(at)?;
    std::fs::copy(from, at).map(drop).map_err(|e| Trouble::io("copy", from, e))
}

/// Points a link elsewhere without a moment in which there is none.
pub fn repoint(target: &Path, at: &Path) -> Result<()> {
    let name = at.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let temporary = at.with_file_name(format!("._{name}.{}", nix::unistd::getpid()));
    remove(&temporary)?;
    link(target, &temporary)?;
    std::fs::rename(&temporary, at).map_err(|e| Trouble::io("replace", at, e))
}

/// Removes a file, link or whole tree; nothing there is fine.
pub fn remove(path: &Path) -> Result<()> {
    let result = match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(e) => Err(e),
    };
    match result {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Trouble::io("remove", path, e)),
        _ => Ok(()),
    }
}

/// Removes the folders above a file that went, from the innermost, as long as they are empty.
pub fn remove_empty_folders(file: &Path) -> Result<()> {
    for folder in file.ancestors().skip(1) {
        match std::fs::remove_dir(folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(_) => break,
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Moves a file or folder.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    parent_folder(to)?;
    std::fs::rename(from, to).map_err(|e| Trouble::io("rename", from, e))
}

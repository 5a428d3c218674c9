//! Points a link somewhere else in one step: a new link beside it, then a rename over the old one, then the folder is
//! synced. Whoever follows the link meanwhile sees one target or the other. Where a link to that target stands ready, it
//! is only renamed, which works on a full disk as well.

use std::path::Path;

use crate::base::{Kind, Result, Trouble, atomic};

pub fn point(path: &Path, target: &Path, ready: Option<&Path>) -> Result<()> {
    let fail = |e| Trouble::io("point the link", path, e);
    if std::fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_symlink()) {
        return Err(Trouble::new(Kind::Refused, format!("{} is there and is no link", path.display()))
            .fact("path", path.display().to_string()));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = || std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(fail);
    let is_ready = |ready: &&Path| std::fs::read_link(ready).is_ok_and(|now| now == target);
    if ready.filter(is_ready).is_some_and(|ready| std::fs::rename(ready, path).is_ok()) {
        return synced();
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = folder.join(format!("{}{name}", atomic::temporary(std::process::id())));
    // One that was left by a process of the same number.
    match std::fs::remove_file(&beside) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    std::os::unix::fs::symlink(target, &beside).map_err(fail)?;
    if let Err(error) = std::fs::rename(&beside, path) {
        let _ = std::fs::remove_file(&beside);
        return Err(fail(error));
    }
    synced()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_moves_and_a_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        point(&link, Path::new("one"), None).unwrap();
        point(&link, Path::new("two"), None).unwrap();
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("two"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        let ready = dir.path().join("ready");
        std::os::unix::fs::symlink("three", &ready).unwrap();
        point(&link, Path::new("four"), Some(&ready)).unwrap();
        assert_eq!(
            std::fs::read_link(&link).unwrap(),
            Path::new("four"),
            "what leads elsewhere is not taken"
        );
        point(&link, Path::new("three"), Some(&ready)).unwrap();
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("three"));
        assert!(!ready.is_symlink(), "it was renamed");
        std::fs::write(dir.path().join("file"), "x").unwrap();
        assert_eq!(point(&dir.path().join("file"), Path::new("x"), None).unwrap_err().kind(), Kind::Refused);
        assert_eq!(
            point(&dir.path().join("no/link"), Path::new("x"), None).unwrap_err().kind(),
            Kind::NotFound
        );
    }
}

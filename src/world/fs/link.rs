//! Points a link somewhere else in one step: a new link beside it, then a rename over the old one, then the folder is
//! synced. Whoever follows the link meanwhile sees one target or the other.

use std::path::Path;

use crate::base::{Kind, Result, Trouble, atomic};

pub fn point(path: &Path, target: &Path) -> Result<()> {
    let fail = |e| Trouble::io("point the link", path, e);
    if std::fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_symlink()) {
        return Err(Trouble::new(Kind::Refused, format!("{} is there and is no link", path.display()))
            .fact("path", path.display().to_string()));
    }
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
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
    std::fs::File::open(folder).and_then(|f| f.sync_all()).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_moves_and_a_file_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        point(&link, Path::new("one")).unwrap();
        point(&link, Path::new("two")).unwrap();
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("two"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
        std::fs::write(dir.path().join("file"), "x").unwrap();
        assert_eq!(point(&dir.path().join("file"), Path::new("x")).unwrap_err().kind(), Kind::Refused);
        assert_eq!(point(&dir.path().join("no/link"), Path::new("x")).unwrap_err().kind(), Kind::NotFound);
    }
}

//! A prefix against the manifest that Spack wrote when it installed it. Spack's own command stops at the first
//! package with findings; this is an inventory.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use data_encoding::BASE32;
use serde::Deserialize;
use sha1::{Digest as _, Sha1};

use crate::base::{Kind, Result, Trouble};
use crate::world::Eyes;
use crate::world::eyes::{FileKind, Stat};

/// Where it is in a prefix.
pub const FILE: &str = ".spack/install_manifest.json";
/// Written after the manifest, so it cannot be in it.
const TIMES: &str = "install_times.json";
/// Times are floating-point seconds; less than this apart is the same file.
const SAME_TIME: f64 = 1e-3;

/// What differs, by path: added, deleted, mode, owner, group, link, size, mtime, hash.
pub type Differences = BTreeMap<String, Vec<&'static str>>;

/// A path as it was recorded.
#[derive(Debug, Default, Deserialize)]
struct Recorded {
    mode: Option<u32>,
    owner: Option<u32>,
    group: Option<u32>,
    dest: Option<String>,
    hash: Option<String>,
    time: Option<f64>,
    size: Option<u64>,
}

/// Compares; nothing when the prefix has no manifest, as externals and what an old Spack installed.
pub fn compare(eyes: &dyn Eyes, prefix: &Path) -> Result<Option<Differences>> {
    let path = prefix.join(FILE);
    if !eyes.exists(&path) {
        return Ok(None);
    }
    let mut recorded: BTreeMap<String, Recorded> =
        serde_json::from_slice(&eyes.read(&path)?).map_err(|e| {
            Trouble::new(Kind::Corrupt, format!("{} is not a manifest: {e}", path.display()))
                .fact("path", path.display().to_string())
        })?;
    let mut found = Differences::new();
    let mut queue = vec![prefix.to_owned()];
    while let Some(at) = queue.pop() {
        let stat = eyes.lstat(&at)?;
        if stat.kind == FileKind::Folder {
            queue.extend(inside(eyes, &at, &path)?);
        }
        let name = at.display().to_string();
        let kinds = match recorded.remove(&name) {
            Some(was) => differences(eyes, &at, &stat, &was)?,
            None => vec!["added"],
        };
        if !kinds.is_empty() {
            found.insert(name, kinds);
        }
    }
    found.extend(recorded.into_keys().map(|gone| (gone, vec!["deleted"])));
    Ok(Some(found))
}

fn inside(eyes: &dyn Eyes, folder: &Path, manifest: &Path) -> Result<Vec<PathBuf>> {
    let names = eyes.list(folder)?.into_iter().filter(|name| name != TIMES);
    Ok(names.map(|name| folder.join(name)).filter(|path| path != manifest).collect())
}

fn differences(eyes: &dyn Eyes, path: &Path, now: &Stat, was: &Recorded) -> Result<Vec<&'static str>> {
    let mut kinds = Vec::new();
    let mut check = |name, differs: bool| {
        if differs {
            kinds.push(name);
        }
    };
    check("owner", was.owner.is_some_and(|was| was != now.uid));
    check("group", was.group.is_some_and(|was| was != now.gid));
    match now.kind {
        // Old releases recorded the mode of what a link leads to.
        FileKind::Link => {
            let target = eyes.read_link(path)?;
            check("link", was.dest.as_deref().map(Path::new) != Some(&target));
        }
        kind => {
            check("mode", was.mode.is_some_and(|was| was & 0o7777 != now.mode));
            if kind == FileKind::File {
                check("size", was.size != Some(now.size));
                let time = now.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
                check("mtime", was.time.is_none_or(|was| (was - time).abs() > SAME_TIME));
                check("hash", was.hash.as_deref() != Some(&content_hash(eyes, path)?));
            }
        }
    }
    Ok(kinds)
}

/// SHA-1 in base 32, as the manifest has it.
pub fn content_hash(eyes: &dyn Eyes, path: &Path) -> Result<String> {
    let mut file = eyes.open(path)?;
    let mut hasher = Sha1::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer).map_err(|e| Trouble::io("read", path, e))? {
            0 => return Ok(BASE32.encode(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::eyes::LiveEyes;

    #[test]
    fn every_way_to_differ() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("p");
        std::fs::create_dir_all(prefix.join(".spack")).unwrap();
        for name in ["kept", "edited", "moded", "gone"] {
            std::fs::write(prefix.join(name), "one").unwrap();
        }
        symlink("kept", prefix.join("link")).unwrap();
        let mut manifest = serde_json::Map::new();
        for entry in walkdir::WalkDir::new(&prefix) {
            let path = entry.unwrap().into_path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let mut row = serde_json::json!({"mode": meta.mode(), "owner": meta.uid(), "group": meta.gid()});
            if meta.is_symlink() {
                row["dest"] = "kept".into();
            } else if meta.is_file() {
                row["hash"] = content_hash(&LiveEyes, &path).unwrap().into();
                row["time"] = (meta.mtime() as f64 + 1e-9 * meta.mtime_nsec() as f64).into();
                row["size"] = meta.size().into();
            }
            manifest.insert(path.display().to_string(), row);
        }
        std::fs::write(prefix.join(FILE), serde_json::to_vec(&manifest).unwrap()).unwrap();
        std::fs::write(prefix.join(".spack").join(TIMES), "{}").unwrap();
        assert_eq!(compare(&LiveEyes, &prefix).unwrap().unwrap(), Differences::new());

        std::fs::write(prefix.join("edited"), "other").unwrap();
        std::fs::set_permissions(prefix.join("moded"), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::remove_file(prefix.join("gone")).unwrap();
        std::fs::write(prefix.join("new"), "").unwrap();
        std::fs::remove_file(prefix.join("link")).unwrap();
        symlink("moded", prefix.join("link")).unwrap();
        let found = compare(&LiveEyes, &prefix).unwrap().unwrap();
        let of =
            |name: &str| found.get(&prefix.join(name).display().to_string()).cloned().unwrap_or_default();
        assert_eq!(of("edited"), ["size", "mtime", "hash"]);
        assert_eq!(of("moded"), ["mode"]);
        assert_eq!((of("gone"), of("new"), of("link")), (vec!["deleted"], vec!["added"], vec!["link"]));
        assert_eq!(found.len(), 5, "{found:?}");

        std::fs::write(prefix.join(FILE), "{").unwrap();
        assert_eq!(compare(&LiveEyes, &prefix).unwrap_err().kind(), Kind::Corrupt);
        std::fs::remove_file(prefix.join(FILE)).unwrap();
        assert!(compare(&LiveEyes, &prefix).unwrap().is_none());
    }
}

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
use crate::world::fs::eyes::{FileKind, Stat};

/// Where it is in a prefix.
pub const FILE: &str = ".spack/install_manifest.json";
const RECORD: &str = ".spack/spec.json";
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

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// Every file is read.
    All,
    /// Only files whose size is the same and whose time is not.
    Touched,
}

/// Compares; nothing when the prefix has no manifest, as externals and what an old Spack installed.
pub fn compare(eyes: &dyn Eyes, prefix: &Path) -> Result<Option<Differences>> {
    differing(eyes, prefix, Contents::All)
}

/// Why a prefix does not serve as it was installed. What was added to it, who owns it and who may read it does not
/// count: Python adds byte code, and sites change groups and modes.
pub fn damage(eyes: &dyn Eyes, prefix: &Path, contents: Contents) -> Option<String> {
    match (eyes.is_folder(prefix), eyes.exists(&prefix.join(RECORD))) {
        (Ok(true), Ok(true)) => {}
        (Ok(false), _) => return Some(format!("{} is gone", prefix.display())),
        (Ok(true), Ok(false)) => {
            return Some(format!("{} has not what Spack writes into it", prefix.display()));
        }
        (Err(trouble), _) | (_, Err(trouble)) => return Some(trouble.message().to_owned()),
    }
    let found = match differing(eyes, prefix, contents) {
        Ok(found) => found.unwrap_or_default(),
        Err(trouble) => return Some(trouble.message().to_owned()),
    };
    let spoilt = |kinds: &[&str]| kinds.iter().any(|kind| ["deleted", "link", "size", "hash"].contains(kind));
    let mut files = found.iter().filter(|(_, kinds)| spoilt(kinds));
    let (first, kinds) = files.next()?;
    let empty = || kinds.contains(&"size") && eyes.stat(Path::new(first)).is_ok_and(|stat| stat.size == 0);
    let what = match kinds.contains(&"deleted") {
        true => "is gone",
        false if empty() => "is empty",
        false => "was changed",
    };
    Some(match files.count() {
        0 => format!("{first} {what}"),
        more => format!("{first} {what}, and {more} more of its files"),
    })
}

fn differing(eyes: &dyn Eyes, prefix: &Path, contents: Contents) -> Result<Option<Differences>> {
    let path = prefix.join(FILE);
    if !eyes.exists(&path)? {
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
            Some(was) => differences(eyes, &at, &stat, &was, contents)?,
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

fn differences(
    eyes: &dyn Eyes,
    path: &Path,
    now: &Stat,
    was: &Recorded,
    contents: Contents,
) -> Result<Vec<&'static str>> {
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
                let other_size = was.size != Some(now.size);
                check("size", other_size);
                let time = now.modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
                let touched = was.time.is_none_or(|was| (was - time).abs() > SAME_TIME);
                check("mtime", touched);
                if contents == Contents::All || (touched && !other_size) {
                    check("hash", was.hash.as_deref() != Some(&content_hash(eyes, path)?));
                }
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
    use crate::world::fs::eyes::LiveEyes;

    /// A file of an hour ago: what is written in the same tick of the clock has the same time.
    fn aged(path: &Path, text: &str) {
        std::fs::write(path, text).unwrap();
        let then = std::time::SystemTime::now() - std::time::Duration::from_hours(1);
        std::fs::File::options().write(true).open(path).unwrap().set_modified(then).unwrap();
    }

    #[test]
    fn every_way_to_differ() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("p");
        std::fs::create_dir_all(prefix.join(".spack")).unwrap();
        for name in ["kept", "edited", "moded", "gone"] {
            aged(&prefix.join(name), "one");
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
        assert!(damage(&LiveEyes, &prefix, Contents::Touched).unwrap().contains("has not what Spack writes"));

        std::fs::write(prefix.join(FILE), "{").unwrap();
        std::fs::write(prefix.join(RECORD), "{}").unwrap();
        assert!(damage(&LiveEyes, &prefix, Contents::Touched).unwrap().contains("is not a manifest"));
        assert_eq!(compare(&LiveEyes, &prefix).unwrap_err().kind(), Kind::Corrupt);
        std::fs::remove_file(prefix.join(FILE)).unwrap();
        assert!(compare(&LiveEyes, &prefix).unwrap().is_none());
    }

    /// A prefix with a file, made again for each case.
    fn one_file(dir: &Path) -> PathBuf {
        use std::os::unix::fs::MetadataExt as _;
        let prefix = dir.join("p");
        let _ = std::fs::remove_dir_all(&prefix);
        std::fs::create_dir_all(prefix.join(".spack")).unwrap();
        std::fs::write(prefix.join(RECORD), "{}").unwrap();
        let file = prefix.join("library");
        aged(&file, "one");
        let meta = std::fs::metadata(&file).unwrap();
        let row = serde_json::json!({"mode": meta.mode(), "owner": meta.uid(), "group": meta.gid(), "size": meta.size(),
            "hash": content_hash(&LiveEyes, &file).unwrap(), "time": meta.mtime() as f64 + 1e-9 * meta.mtime_nsec() as f64});
        let manifest = serde_json::json!({ file.display().to_string(): row });
        std::fs::write(prefix.join(FILE), manifest.to_string()).unwrap();
        prefix
    }

    type Change<'a> = &'a dyn Fn(&Path);

    #[test]
    fn what_counts_as_damage() {
        use std::fs::{File, Permissions, remove_dir_all, remove_file, set_permissions, write};
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let touch = |p: &Path, at| File::options().write(true).open(p).unwrap().set_modified(at).unwrap();
        let long_ago = UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        let cases: &[(&str, Change<'_>, bool, bool)] = &[
            ("nothing", &|_| (), false, false),
            ("added", &|p| write(p.join("new.pyc"), "").unwrap(), false, false),
            (
                "mode",
                &|p| set_permissions(p.join("library"), Permissions::from_mode(0o640)).unwrap(),
                false,
                false,
            ),
            ("only its time", &|p| touch(&p.join("library"), long_ago), false, false),
            ("content", &|p| write(p.join("library"), "two").unwrap(), true, true),
            ("cut", &|p| write(p.join("library"), "").unwrap(), true, true),
            ("gone", &|p| remove_file(p.join("library")).unwrap(), true, true),
            ("all gone", &|p| remove_dir_all(p).unwrap(), true, true),
            (
                "rot",
                &|p| {
                    let at = std::fs::metadata(p.join("library")).unwrap().modified().unwrap();
                    write(p.join("library"), "two").unwrap();
                    touch(&p.join("library"), at);
                },
                false,
                true,
            ),
        ];
        for (name, change, quick, whole) in cases {
            let prefix = one_file(dir.path());
            change(&prefix);
            let of = |contents| damage(&LiveEyes, &prefix, contents);
            assert_eq!(of(Contents::Touched).is_some(), *quick, "{name}: {:?}", of(Contents::Touched));
            assert_eq!(of(Contents::All).is_some(), *whole, "{name}: {:?}", of(Contents::All));
        }
    }
}

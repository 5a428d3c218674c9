//! `fs`: looking at files and folders.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::argument::{Bytes, Size};
use crate::base::{Kind, Result, Trouble, words};
use crate::site::Cx;
use crate::world::Eyes;
use crate::world::fs::eyes::{FileKind, Stat};

/// Reads a whole file. Any bytes are kept as they are.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ReadArgs {
    /// The file.
    path: PathBuf,
    /// Refuse a file larger than this: bytes or `"64 MiB"`. Default: 1 GiB.
    limit: Option<Size>,
}

pub async fn read(cx: Cx, args: ReadArgs) -> Result<Bytes> {
    cx.blocking(move |cx| {
        // What a script reads, a plan of it is made from.
        cx.world.depends_on_file(&args.path)?;
        let size = cx.world.eyes.stat(&args.path)?.size;
        let limit = args.limit.map_or(1 << 30, |s| s.0);
        if size > limit {
            return Err(Trouble::new(
                Kind::Refused,
                format!(
                    "{} has {}, more than {}",
                    args.path.display(),
                    words::size(size),
                    words::size(limit)
                ),
            )
            .hint("the option limit sets how much may be read")
            .fact("size", size));
        }
        cx.world.eyes.read(&args.path).map(Bytes)
    })
    .await
}

/// Lists the names in a folder, sorted.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ListArgs {
    /// The folder.
    path: PathBuf,
}

pub async fn list(cx: Cx, args: ListArgs) -> Result<Vec<String>> {
    cx.blocking(move |cx| cx.world.eyes.list(&args.path)).await
}

/// Lists everything below a folder with its kind and size, in sorted order. Links are not followed.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WalkArgs {
    /// The folder.
    path: PathBuf,
    /// How many levels deep; all by default.
    depth: Option<u32>,
}

/// Something below a folder.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub struct FolderEntry {
    /// Path below the folder that was asked for.
    path: String,
    /// `file`, `folder`, `link` or `other`.
    kind: FileKind,
    /// Bytes of a file.
    size: u64,
}

pub async fn walk(cx: Cx, args: WalkArgs) -> Result<Vec<FolderEntry>> {
    cx.blocking(move |cx| {
        let mut entries = Vec::new();
        let depth = args.depth.unwrap_or(u32::MAX);
        below(&*cx.world.eyes, &args.path, Path::new(""), depth, &mut entries)?;
        Ok(entries)
    })
    .await
}

fn below(
    eyes: &dyn Eyes,
    root: &Path,
    relative: &Path,
    depth: u32,
    out: &mut Vec<FolderEntry>,
) -> Result<()> {
    if depth == 0 {
        return Ok(());
    }
    for name in eyes.list(&root.join(relative))? {
        let path = relative.join(name);
        let stat = eyes.lstat(&root.join(&path))?;
        let kind = stat.kind;
        out.push(FolderEntry { path: path.display().to_string(), kind, size: stat.size });
        if kind == FileKind::Folder {
            below(eyes, root, &path, depth - 1, out)?;
        }
    }
    Ok(())
}

/// Tells kind, size, mode, owner and time of a path.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StatArgs {
    /// The file or folder.
    path: PathBuf,
    /// Look at the target of a link (the default), or with `false` at the link itself.
    #[serde(default = "yes")]
    follow: bool,
}

fn yes() -> bool {
    true
}

/// What is known of a path.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StatResult {
    /// `file`, `folder`, `link` or `other`.
    kind: FileKind,
    /// Bytes.
    size: u64,
    /// Permission bits as text, such as `"644"`.
    mode: String,
    /// Number of the user who owns it.
    uid: u32,
    /// Number of its group.
    gid: u32,
    /// Last change of its content, in seconds since 1970.
    modified: f64,
    /// Number of the file system that it is on.
    device: u64,
    /// Its number there.
    inode: u64,
    /// Where a link points to.
    target: Option<String>,
}

pub async fn stat(cx: Cx, args: StatArgs) -> Result<StatResult> {
    cx.blocking(move |cx| {
        let eyes = &cx.world.eyes;
        let stat: Stat = if args.follow { eyes.stat(&args.path)? } else { eyes.lstat(&args.path)? };
        let target = match stat.kind {
            FileKind::Link => Some(eyes.read_link(&args.path)?.display().to_string()),
            _ => None,
        };
        let modified = match stat.modified.duration_since(std::time::UNIX_EPOCH) {
            Ok(after) => after.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        };
        Ok(StatResult {
            kind: stat.kind,
            size: stat.size,
            mode: format!("{:03o}", stat.mode),
            uid: stat.uid,
            gid: stat.gid,
            modified,
            device: stat.device,
            inode: stat.inode,
            target,
        })
    })
    .await
}

/// Whether something is at a path, be it a link to nowhere.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ExistsArgs {
    /// The path.
    path: PathBuf,
}

pub async fn exists(cx: Cx, args: ExistsArgs) -> Result<bool> {
    cx.blocking(move |cx| match cx.world.eyes.lstat(&args.path) {
        Ok(_) => Ok(true),
        Err(t) if t.is(Kind::NotFound) => Ok(false),
        // "Not a directory" in the middle of the path also means that nothing is there.
        Err(t) if t.is(Kind::Io) && args.path.ancestors().skip(1).any(|p| cx.world.eyes.finds_file(p)) => {
            Ok(false)
        }
        Err(t) => Err(t),
    })
    .await
}

/// The SHA-256 of a file, as 64 hexadecimal digits.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DigestArgs {
    /// The file.
    path: PathBuf,
}

pub async fn digest(cx: Cx, args: DigestArgs) -> Result<String> {
    cx.blocking(move |cx| cx.world.eyes.digest(&args.path)).await
}

/// One SHA-256 of a whole folder: paths, kinds, executable bits, contents and link targets. Times and owners do
/// not count.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TreeDigestArgs {
    /// The folder.
    path: PathBuf,
}

pub async fn tree_digest(cx: Cx, args: TreeDigestArgs) -> Result<String> {
    cx.blocking(move |cx| cx.world.eyes.tree_digest(&args.path)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::fs::eyes::LiveEyes;

    #[test]
    fn a_walk_is_sorted_and_does_not_follow_links() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("b/c")).unwrap();
        std::fs::write(dir.path().join("b/c/f"), "123").unwrap();
        std::os::unix::fs::symlink("b", dir.path().join("a")).unwrap();
        let mut all = Vec::new();
        below(&LiveEyes, dir.path(), Path::new(""), u32::MAX, &mut all).unwrap();
        let seen: Vec<_> = all.iter().map(|e| (e.path.as_str(), e.kind)).collect();
        let folder = FileKind::Folder;
        assert_eq!(seen, [("a", FileKind::Link), ("b", folder), ("b/c", folder), ("b/c/f", FileKind::File)]);
        let mut one = Vec::new();
        below(&LiveEyes, dir.path(), Path::new(""), 1, &mut one).unwrap();
        assert_eq!(one.len(), 2);
    }
}

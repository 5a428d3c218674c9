//! `fs`: changing files and folders, through the seam.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::argument::Bytes;
use crate::base::{Kind, Result, Trouble, digest};
use crate::site::Cx;
use crate::world::Action;
use crate::world::fs::eyes::FileKind;
use crate::world::scope::event::{Item, Unit};
use crate::world::scope::postcondition::Postcondition;
use crate::world::scope::replay;

/// Writes a file so that a reader sees the old content or the new one, never a part.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WriteArgs {
    /// The file. Its folder must exist.
    path: PathBuf,
    /// What to write: any bytes.
    content: Bytes,
    /// Permission bits such as `"640"`. Default: those of the file that is replaced.
    mode: Option<String>,
    /// The content changes from run to run, as a report with the time in it does: a plan promises only the path.
    #[serde(default)]
    varies: bool,
}

pub async fn write(cx: Cx, args: WriteArgs) -> Result<()> {
    let mode = args.mode.as_deref().map(parse_mode).transpose()?;
    cx.world
        .perform(Action::WriteFile { path: args.path, bytes: args.content.0, mode, varies: args.varies })
        .await?;
    Ok(())
}

fn parse_mode(text: &str) -> Result<u32> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    u32::from_str_radix(digits, 8).ok().filter(|m| *m <= 0o7777 && !digits.starts_with('+')).ok_or_else(
        || {
            Trouble::usage(format!("'{text}' are not permission bits"))
                .hint("write octal digits as text: \"644\", \"750\"")
        },
    )
}

/// Removes a file, a link or an empty folder; a whole folder only when asked.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct RemoveArgs {
    /// What to remove. A link is removed itself, never its target.
    path: PathBuf,
    /// Remove a folder with everything in it.
    #[serde(default)]
    recursive: bool,
    /// Do nothing if there is nothing at the path.
    #[serde(default)]
    missing_ok: bool,
}

pub async fn remove(cx: Cx, args: RemoveArgs) -> Result<()> {
    let eyes = &cx.world.eyes;
    let stat = match eyes.lstat(&args.path) {
        Err(t) if t.is(Kind::NotFound) && args.missing_ok => return Ok(()),
        other => other?,
    };
    if stat.kind == FileKind::Folder {
        let whole = args.path.components().any(|c| matches!(c, std::path::Component::Normal(_)));
        if !whole || args.path.ends_with("..") {
            return Err(refused(&args.path, "such a folder is never removed whole"));
        }
        if !args.recursive && !eyes.list(&args.path)?.is_empty() {
            return Err(refused(&args.path, "it is a folder that is not empty")
                .hint("recursive = true removes it with everything in it"));
        }
    }
    replay::plan_result(&(), vec![Postcondition::Absent { path: args.path.clone() }]);
    cx.world.perform(Action::RemovePath { path: args.path }).await?;
    Ok(())
}

fn refused(path: &Path, why: &str) -> Trouble {
    Trouble::new(Kind::Refused, format!("cannot remove {}: {why}", path.display()))
        .fact("path", path.display().to_string())
}

/// Renames a file or folder within one file system.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct MoveArgs {
    /// What to move.
    from: PathBuf,
    /// Its new path.
    to: PathBuf,
    /// Replace what is there.
    #[serde(default)]
    replace: bool,
}

pub async fn rename(cx: Cx, args: MoveArgs) -> Result<()> {
    free(&cx, &args.to, args.replace)?;
    let (gone, there) =
        (Postcondition::Absent { path: args.from.clone() }, Postcondition::There { path: args.to.clone() });
    replay::plan_result(&(), vec![gone, there]);
    cx.world.perform(Action::MovePath { from: args.from, to: args.to }).await?;
    Ok(())
}

fn free(cx: &Cx, to: &Path, replace: bool) -> Result<()> {
    if !replace && !replay::was_begun() && cx.world.eyes.exists(to)? {
        return Err(Trouble::new(Kind::Exists, format!("{} is there already", to.display()))
            .hint("replace = true replaces it")
            .fact("path", to.display().to_string()));
    }
    Ok(())
}

/// Copies a file with its permission bits.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CopyArgs {
    /// The file.
    from: PathBuf,
    /// The path of the copy.
    to: PathBuf,
    /// Replace what is there.
    #[serde(default)]
    replace: bool,
}

/// A smaller file is copied before anybody could see how far it is.
const SLOW: u64 = 16 << 20;

pub async fn copy(cx: Cx, args: CopyArgs) -> Result<()> {
    free(&cx, &args.to, args.replace)?;
    let from = args.from.clone();
    let stat = cx.blocking(move |cx| cx.world.eyes.stat(&from)).await?;
    if stat.kind != FileKind::File {
        let from = args.from.display();
        return Err(Trouble::usage(format!("{from} is not a file; only files are copied")));
    }
    let item = (stat.size >= SLOW).then(|| {
        Item::begin(&cx.world.watcher, "copy", &args.from.display().to_string(), Some(stat.size), Unit::Bytes)
    });
    let from = args.from;
    let bytes = cx.blocking(move |cx| cx.world.eyes.read(&from)).await?;
    replay::plan_result(
        &(),
        vec![Postcondition::File { path: args.to.clone(), digest: digest::bytes(&bytes) }],
    );
    let mode = Some(stat.mode);
    cx.world.perform(Action::WriteFile { path: args.to, bytes, mode, varies: false }).await?;
    if let Some(item) = item {
        item.progress(stat.size);
        item.end();
    }
    Ok(())
}

/// Makes a folder and those above it. One that is there already is no error.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct MkdirArgs {
    /// The folder.
    path: PathBuf,
}

pub async fn mkdir(cx: Cx, args: MkdirArgs) -> Result<()> {
    if cx.world.eyes.is_folder(&args.path)? {
        return Ok(());
    }
    cx.world.perform(Action::MakeFolder { path: args.path }).await?;
    Ok(())
}

/// Makes a folder that only this user may enter and that is removed when the program ends; gives its path.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TempDirArgs {
    /// The folder to make it in. Default: `TMPDIR`, or `/tmp`.
    within: Option<PathBuf>,
}

pub async fn temp_dir(cx: Cx, args: TempDirArgs) -> Result<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let within = args.within.unwrap_or_else(std::env::temp_dir);
    let mut last = Trouble::new(Kind::Exists, format!("no free name in {}", within.display()));
    for _ in 0..100 {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let salt = cx.world.clock.now().as_nanosecond() % 1_000_000_007;
        let path = within.join(format!("moonstack-{}-{number}-{salt:x}", std::process::id()));
        match cx.world.perform(Action::MakeTempFolder { path: path.clone() }).await {
            Ok(_) => return Ok(path.display().to_string()),
            Err(t) if t.is(Kind::Exists) => last = t,
            Err(t) => return Err(t),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_text() {
        assert_eq!(parse_mode("640").unwrap(), 0o640);
        assert_eq!(parse_mode("0o2755").unwrap(), 0o2755);
        for text in ["", "999", "77777", "+644", "rw-r--r--", "-1"] {
            assert!(parse_mode(text).is_err(), "{text}");
        }
    }
}

//! A snapshot as a new environment beside the one that it is of: its manifest, lock and included files in a folder that
//! was not there, then all that a restore in place does. What fails is taken away again.

use std::path::{Path, PathBuf};

use super::reinstall::{Brought, bring_back};
use crate::base::{Kind, Result, Trouble, digest};
use crate::site::Cx;
use crate::snapshot::judge::check::Restorable;
use crate::snapshot::record::configuration::{self, ConfigurationFile};
use crate::snapshot::record::parts;
use crate::snapshot::restore::args::{Part, RestoreArgs, Restored};
use crate::snapshot::store::index::StoredSnapshot;
use crate::snapshot::store::object::Objects;
use crate::spack::change::around::view::view_roots;
use crate::spack::drive::locks;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::environment;
use crate::spack::environment::manifest::redirect::redirected;
use crate::world::Action;
use crate::world::scope::replay;

/// Where the new environment is.
struct Target {
    name: String,
    folder: PathBuf,
}

pub async fn restore_into(
    cx: &Cx,
    kept: &StoredSnapshot,
    into: &str,
    args: &RestoreArgs,
    restorable: &Restorable,
) -> Result<Restored> {
    let begun = std::time::Instant::now();
    if args.configuration || args.only == Some(Part::Configuration) {
        return Err(Trouble::usage("a new environment is under the site's configuration as it is")
            .hint("`configuration` is for a restore in place"));
    }
    let target = target(cx, into).await?;
    let _lock = locks::named(cx, &format!("new environment {}", target.folder.display())).await?;
    refuse_existing(cx, &target)?;
    let files = files(cx, kept, &target.folder)?;
    let work = async {
        write(cx, &target.folder, &files).await?;
        let mut copy = copy_of(kept, &target);
        let inside = fresh(cx, &target).await?;
        let mut differing = same_includes(cx, kept, &inside)?;
        copy.snapshot.manifest.object = move_views(cx, &inside, kept).await?;
        let brought = match args.only {
            Some(_) => Brought::default(),
            None => bring_back(cx, &copy, args, restorable).await?,
        };
        differing.sort();
        Ok::<_, Trouble>((brought, differing))
    };
    match work.await {
        Ok((brought, differing)) => Ok(Restored {
            snapshot: kept.snapshot.title(),
            env: target.name,
            path: target.folder,
            written: files.into_iter().map(|(path, _)| path).collect(),
            installed: brought.installed,
            marked: brought.marked,
            left_out: brought.left_out,
            before: None,
            differing,
            seconds: begun.elapsed().as_secs_f64(),
        }),
        Err(trouble) => Err(match take_away(cx, &target.folder).await {
            Ok(()) => trouble.hint(format!("{} was taken away again", target.folder.display())),
            Err(other) => {
                trouble.hint(format!("and {} is left behind: {}", target.folder.display(), other.message()))
            }
        }),
    }
}

/// A name is a managed environment; what has a slash first, or a dot, is a folder.
async fn target(cx: &Cx, into: &str) -> Result<Target> {
    let outside = scope(cx, None).await?;
    if into.starts_with(['/', '.', '~']) {
        let folder = outside.config.sub.cwd.join(outside.config.sub.expand_home(into));
        let folder = std::path::absolute(&folder).map_err(|e| Trouble::io("find", &folder, e))?;
        return Ok(Target { name: folder.display().to_string(), folder });
    }
    environment::check_name(into, outside.config.release)?;
    let folder = outside.config.environments_root()?.path.join(into);
    Ok(Target { name: into.to_owned(), folder })
}

/// An interrupted run may have begun it; nothing else may be there.
fn refuse_existing(cx: &Cx, target: &Target) -> Result<()> {
    if !cx.world.eyes.exists(&target.folder)? || replay::was_begun() {
        return Ok(());
    }
    Err(Trouble::new(Kind::Exists, format!("{} is there already", target.folder.display()))
        .hint("a restore `into` makes a new environment; without it the environment of the snapshot is put back")
        .fact("path", target.folder.display().to_string()))
}

/// What the new folder begins with.
fn files(cx: &Cx, kept: &StoredSnapshot, folder: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let (objects, record) = (Objects(cx), &kept.snapshot);
    let mut out = Vec::new();
    for file in parts::configuration(cx, kept)? {
        let Ok(relative) = file.path.strip_prefix(&record.env.path) else { continue };
        // A document may come from elsewhere: nothing is written outside of the new folder.
        let plain = |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
        if !file.included || !relative.components().all(plain) {
            continue;
        }
        if file.masked {
            let message =
                format!("{} is kept without its secrets, and cannot be made again", file.path.display());
            return Err(Trouble::new(Kind::Refused, message)
                .hint("make the environment by hand: `moonstack snapshot export --git` writes its files"));
        }
        out.push((folder.join(relative), file.text.into_bytes()));
    }
    out.push((folder.join("spack.yaml"), objects.get(&record.manifest.object)?));
    out.push((folder.join("spack.lock"), objects.get(&record.lock.object)?));
    Ok(out)
}

async fn write(cx: &Cx, folder: &Path, files: &[(PathBuf, Vec<u8>)]) -> Result<()> {
    let eyes = &*cx.world.eyes;
    let parents = files.iter().filter_map(|(path, _)| path.parent());
    for parent in std::iter::once(folder).chain(parents) {
        if !eyes.is_folder(parent)? {
            cx.world.perform(Action::MakeFolder { path: parent.to_owned() }).await?;
        }
    }
    for (path, bytes) in files {
        if !eyes.read(path).is_ok_and(|now| now == *bytes) {
            cx.world.perform(Action::write(path.clone(), bytes.clone())).await?;
        }
    }
    Ok(())
}

async fn fresh(cx: &Cx, target: &Target) -> Result<Scope> {
    let outside = scope(cx, None).await?;
    outside.spack.forget();
    scope(cx, Some(target.folder.display().to_string())).await
}

/// The record as if it were of the new environment: what is done and compared is done and compared there.
fn copy_of(kept: &StoredSnapshot, target: &Target) -> StoredSnapshot {
    let mut copy = kept.clone();
    copy.snapshot.env.name.clone_from(&target.name);
    copy.snapshot.env.path.clone_from(&target.folder);
    copy
}

/// What the manifest includes from outside of its folder has to be found from the new one, too; gives those that say
/// something else by now.
fn same_includes(cx: &Cx, kept: &StoredSnapshot, inside: &Scope) -> Result<Vec<PathBuf>> {
    let now = configuration::read(cx, inside)?;
    let outside = |file: &ConfigurationFile| file.included && !file.path.starts_with(&kept.snapshot.env.path);
    let mut differing = Vec::new();
    for file in parts::configuration(cx, kept)?.into_iter().filter(outside) {
        match now.iter().find(|other| other.path == file.path) {
            Some(other) if other.text == file.text => {}
            Some(_) => differing.push(file.path),
            None => {
                let message = format!("the new environment does not include {}", file.path.display());
                return Err(Trouble::new(Kind::Refused, message).hint(
                    "the manifest names it by a relative path, or it is gone; choose a folder beside the old one",
                ));
            }
        }
    }
    Ok(differing)
}

/// Views and module files that the manifest puts into a place of their own would be those of the old environment: they
/// go into the new folder. Gives the digest of the manifest as it is then.
async fn move_views(cx: &Cx, inside: &Scope, kept: &StoredSnapshot) -> Result<String> {
    let folder = inside.inside()?.path.clone();
    let mut sets = Vec::new();
    let mut elsewhere = view_roots(cx, inside)?.iter().any(|root| !root.starts_with(&folder));
    for set in inside.config.module_sets()? {
        for (kind, root) in set.placed() {
            elsewhere |= root.starts_with(&kept.snapshot.env.path);
            sets.push((set.name.clone(), kind.to_owned()));
        }
    }
    if !elsewhere {
        return Ok(kept.snapshot.manifest.object.clone());
    }
    let path = inside.inside()?.manifest_file();
    let text = cx.world.eyes.read_text(&path)?;
    let moved = redirected(&text, &folder, &sets).ok_or_else(|| {
        Trouble::new(Kind::Unsupported, "the views of the manifest cannot be moved so that all else stays")
            .hint("write `view` and `modules` as blocks, one key a line")
    })?;
    let digest = digest::bytes(moved.as_bytes());
    cx.world.perform(Action::write(path, moved.into_bytes())).await?;
    inside.spack.forget();
    Ok(digest)
}

/// Nothing of it was there before. What was installed for it stays in the store, as after any failed installation.
async fn take_away(cx: &Cx, folder: &Path) -> Result<()> {
    if cx.world.eyes.exists(folder)? {
        cx.world.perform(Action::RemovePath { path: folder.to_owned() }).await?;
    }
    scope(cx, None).await?.spack.forget();
    Ok(())
}

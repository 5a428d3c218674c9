//! Puts a snapshot into a git work tree: the files of the environment in a folder of its name, and one commit that
//! holds them. Git is told everything by its arguments: no hook runs, nothing is signed, nothing is pushed.

use std::path::{Component, Path, PathBuf};

use super::repository::Repository;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::snapshot::exchange::exported::Exported;
use crate::snapshot::exchange::repository::Files;
use crate::snapshot::record::configuration::ConfigurationFile;
use crate::snapshot::store::archive::Archive;
use crate::snapshot::store::document::Snapshot;
use crate::snapshot::store::index::{StoredSnapshot, plain_name};
use crate::world::fs::eyes::FileKind;
use crate::world::{Action, Eyes};

const DOCUMENT: &str = "snapshot.json";

pub async fn commit(cx: &Cx, kept: &StoredSnapshot, archive: &Archive, folder: &Path) -> Result<Exported> {
    let title = kept.snapshot.title();
    let folder = std::path::absolute(folder).map_err(|e| Trouble::io("find", folder, e))?;
    let repository = Repository::at(cx, &folder).await?;
    let at = folder.join(plain_name(&kept.snapshot.env.name));
    let wanted = files(kept, archive, &at)?;
    let there = there(&*cx.world.eyes, &at)?;
    refuse_another(cx, kept, &at)?;
    // What an interrupted export left is what this one would write, or gone as it would be.
    let open = repository.uncommitted(cx, &at).await?;
    let ours = |path: &PathBuf| match wanted.get(path) {
        Some(bytes) => cx.world.eyes.read(path).map_or_else(|t| t.is(Kind::NotFound), |now| now == *bytes),
        None => {
            path.starts_with(at.join(CONFIGURATION)) && cx.world.eyes.exists(path).is_ok_and(|there| !there)
        }
    };
    if let Some(foreign) = open.iter().find(|path| !ours(path)) {
        let message = format!("{} has changes that are not committed", foreign.display());
        return Err(Trouble::new(Kind::Refused, message)
            .hint("commit or undo them first; nothing was written")
            .fact("path", foreign.display().to_string()));
    }
    let mut changed = !open.is_empty();
    for (path, bytes) in &wanted {
        if cx.world.eyes.read(path).is_ok_and(|now| now == *bytes) {
            continue;
        }
        changed = true;
        if let Some(parent) = path.parent().filter(|parent| !cx.world.eyes.finds_folder(parent)) {
            cx.world.perform(Action::MakeFolder { path: parent.to_owned() }).await?;
        }
        // The document has the time in it, and a run takes another snapshot than its plan.
        let varies = path.ends_with(DOCUMENT);
        let write = Action::WriteFile { path: path.clone(), bytes: bytes.clone(), mode: None, varies };
        cx.world.perform(write).await?;
    }
    for path in there {
        if path.starts_with(at.join(CONFIGURATION)) && !wanted.contains_key(&path) {
            changed = true;
            cx.world.perform(Action::RemovePath { path }).await?;
        }
    }
    if changed {
        repository.commit(cx, &at, &wanted, &message(kept)).await?;
    }
    let commit = repository.holds(cx, &wanted).await?;
    Ok(Exported { snapshot: title, id: kept.id.clone(), path: at, size: None, commit, changed })
}

const CONFIGURATION: &str = "configuration";

fn message(kept: &StoredSnapshot) -> String {
    match kept.snapshot.description.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => format!("{}: {text}", kept.snapshot.title()),
        None => kept.snapshot.title(),
    }
}

fn files(kept: &StoredSnapshot, archive: &Archive, at: &Path) -> Result<Files> {
    let snapshot = &kept.snapshot;
    let part = |id: &str| archive.objects.get(id).cloned().unwrap_or_default();
    let mut out = Files::new();
    out.insert(at.join("spack.yaml"), part(&snapshot.manifest.object));
    out.insert(at.join("spack.lock"), part(&snapshot.lock.object));
    out.insert(at.join(DOCUMENT), archive.document.clone());
    let configuration: Vec<ConfigurationFile> = serde_json::from_slice(&part(&snapshot.configuration))
        .map_err(|e| {
            let message = format!("the configuration of snapshot {} cannot be read: {e}", snapshot.title());
            Trouble::new(Kind::Corrupt, message)
        })?;
    for file in configuration {
        out.insert(at.join(CONFIGURATION).join(below(&file.path)), file.text.into_bytes());
    }
    Ok(out)
}

/// The path as one within a folder. Git keeps nothing below a `.git`.
fn below(path: &Path) -> PathBuf {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) if name.eq_ignore_ascii_case(".git") => Some("_git".into()),
            Component::Normal(name) => Some(name.to_owned()),
            _ => None,
        })
        .collect()
}

/// Every file in the folder. A link could lead out of the work tree.
fn there(eyes: &dyn Eyes, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    let mut queue = vec![folder.to_owned()];
    while let Some(path) = queue.pop() {
        match eyes.lstat(&path) {
            Ok(stat) if stat.kind == FileKind::Folder => {
                queue.extend(eyes.list(&path)?.iter().map(|name| path.join(name)));
            }
            Ok(stat) if stat.kind == FileKind::File && path != folder => out.push(path),
            Ok(_) => {
                let message = format!("{} is neither a folder nor a file", path.display());
                return Err(Trouble::new(Kind::Refused, message).fact("path", path.display().to_string()));
            }
            Err(trouble) if trouble.is(Kind::NotFound) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(out)
}

/// Two environments of one name would overwrite each other in turn.
fn refuse_another(cx: &Cx, kept: &StoredSnapshot, at: &Path) -> Result<()> {
    let file = at.join(DOCUMENT);
    let Ok(bytes) = cx.world.eyes.read(&file) else { return Ok(()) };
    match Snapshot::parse(&bytes, &file.display().to_string()) {
        Ok(there) if there.env.path != kept.snapshot.env.path => {
            let message = format!(
                "{} has the snapshots of the environment in {}",
                at.display(),
                there.env.path.display()
            );
            Err(Trouble::new(Kind::Refused, message).hint("give another folder"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_stays_within_the_folder() {
        for (path, wanted) in [
            ("/etc/spack/config.yaml", "etc/spack/config.yaml"),
            ("/a/../../b.yaml", "a/b.yaml"),
            ("/home/me/.Git/x.yaml", "home/me/_git/x.yaml"),
            ("relative.yaml", "relative.yaml"),
        ] {
            assert_eq!(below(Path::new(path)), Path::new(wanted));
        }
    }
}

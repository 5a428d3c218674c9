//! What differs between two snapshots, or a snapshot and how it is now: the locks package by package, manifest and
//! configuration as text.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::parallel::both;
use crate::base::{Kind, Result, Trouble, text_diff};
use crate::site::Cx;
use crate::snapshot::record::configuration::{self, ConfigurationFile};
use crate::snapshot::record::parts;
use crate::snapshot::store::archive::{self, Archive};
use crate::snapshot::store::object::Objects;
use crate::snapshot::store::{index, reference};
use crate::spack::drive::session::Scope;
use crate::spack::lock::diff;
use crate::spack::lock::diff::rows::{DiffSummary, PackageDiff, RootsDiff};
use crate::spack::lock::lockfile::LockfileText;

/// Compares two snapshots, or a snapshot with how its environment is now.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct DiffArgs {
    /// What was: a snapshot, an environment as it is now, the path of a lock file, or that of an exported snapshot.
    pub from: String,
    /// What is: the same. Left out, the environment of the snapshot as it is now.
    pub to: Option<String>,
}

/// What differs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SnapshotDiff {
    /// What was.
    pub from: String,
    /// What is.
    pub to: String,
    /// Nothing differs.
    pub same: bool,
    /// What was asked for.
    pub roots: RootsDiff,
    /// Package by package.
    pub packages: Vec<PackageDiff>,
    pub summary: DiffSummary,
    /// The manifest, as a unified diff.
    pub manifest: String,
    /// Each configuration file that differs, as a unified diff.
    pub configuration: Vec<FileDiff>,
}

/// A file that differs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileDiff {
    pub path: PathBuf,
    pub diff: String,
}

/// One side of a comparison.
struct Side {
    title: String,
    lock: LockfileText,
    manifest: Option<String>,
    configuration: Option<Vec<ConfigurationFile>>,
    env: Option<PathBuf>,
}

pub async fn diff(cx: Cx, args: DiffArgs) -> Result<SnapshotDiff> {
    cx.blocking(move |cx| {
        let from = side(&cx, &args.from)?;
        let to = match (&args.to, &from.env) {
            (Some(to), _) => side(&cx, to)?,
            (None, Some(env)) => live(&cx, &env.display().to_string())?,
            (None, None) => {
                return Err(Trouble::usage("a lock file needs another side to be compared with"));
            }
        };
        of(&from, &to)
    })
    .await
}

fn of(from: &Side, to: &Side) -> Result<SnapshotDiff> {
    let locks = diff::of_texts(&from.lock, &to.lock)?;
    let texts = |a: &Option<String>, b: &Option<String>| match (a, b) {
        (Some(a), Some(b)) => text_diff::unified(&from.title, &to.title, a, b),
        _ => String::new(),
    };
    let manifest = texts(&from.manifest, &to.manifest);
    let mut configuration = Vec::new();
    if let (Some(before), Some(after)) = (&from.configuration, &to.configuration) {
        for (before, after) in pairs(before, after) {
            let text = |file: Option<&ConfigurationFile>| file.map_or_else(String::new, |f| f.text.clone());
            let (a, b) = (text(before), text(after));
            if let Some(file) = after.or(before).filter(|_| a != b) {
                let diff = text_diff::unified(&from.title, &to.title, &a, &b);
                configuration.push(FileDiff { path: file.path.clone(), diff });
            }
        }
    }
    Ok(SnapshotDiff {
        from: from.title.clone(),
        to: to.title.clone(),
        same: locks.is_empty() && manifest.is_empty() && configuration.is_empty(),
        roots: locks.roots,
        packages: locks.packages,
        summary: locks.summary,
        manifest,
        configuration,
    })
}

/// The same file on both sides: of one path, or, where two sites keep theirs in other places, of one name in one scope.
fn pairs<'a>(
    before: &'a [ConfigurationFile],
    after: &'a [ConfigurationFile],
) -> Vec<(Option<&'a ConfigurationFile>, Option<&'a ConfigurationFile>)> {
    type ByPath<'a> = BTreeMap<&'a Path, &'a ConfigurationFile>;
    let by_path = |files: &'a [ConfigurationFile]| -> ByPath<'a> {
        files.iter().map(|file| (file.path.as_path(), file)).collect()
    };
    let (before, mut after) = (by_path(before), by_path(after));
    let mut out = Vec::new();
    let mut alone = Vec::new();
    for file in before.into_values() {
        match after.remove(file.path.as_path()) {
            Some(other) => out.push((Some(file), Some(other))),
            None => alone.push(file),
        }
    }
    for file in alone {
        let place = |file: &'a ConfigurationFile| (&file.scope, file.path.file_name());
        let other = after.values().copied().find(|other| place(other) == place(file));
        other.and_then(|other| after.remove(other.path.as_path()));
        out.push((Some(file), other));
    }
    out.extend(after.into_values().map(|file| (None, Some(file))));
    out.sort_by_key(|(before, after)| after.or(*before).map(|file| &file.path));
    out
}

fn side(cx: &Cx, text: &str) -> Result<Side> {
    let path = Path::new(text);
    if cx.world.eyes.is_file(path)? && path.extension().is_some_and(|e| e == "zst") {
        return exported(&archive::read(cx, path)?, text);
    }
    if cx.world.eyes.is_file(path)? {
        let lock = LockfileText::read(&*cx.world.eyes, path)?;
        return Ok(Side { title: text.to_owned(), lock, manifest: None, configuration: None, env: None });
    }
    match reference::find(cx, text) {
        Ok(kept) => recorded(cx, &kept),
        // A name without a snapshot may still be an environment.
        Err(trouble) if trouble.is(Kind::NotFound) && !text.contains('@') => {
            live(cx, text).map_err(|other| if other.is(Kind::NotFound) { trouble } else { other })
        }
        Err(trouble) => Err(trouble),
    }
}

fn recorded(cx: &Cx, kept: &index::StoredSnapshot) -> Result<Side> {
    let objects = Objects(cx);
    let snapshot = &kept.snapshot;
    let (lock, manifest) =
        both(|| objects.get(&snapshot.lock.object), || objects.text(&snapshot.manifest.object));
    Ok(Side {
        title: snapshot.title(),
        lock: LockfileText::from_bytes(&snapshot.lock.path, lock?)?,
        manifest: Some(manifest?),
        configuration: Some(parts::configuration(cx, kept)?),
        env: Some(snapshot.env.path.clone()),
    })
}

/// A snapshot of another site, compared without taking it in.
fn exported(archive: &Archive, file: &str) -> Result<Side> {
    let snapshot = &archive.snapshot;
    let part = |id: &str| archive.objects.get(id).cloned().unwrap_or_default();
    let corrupt = |what: &str, why: String| Trouble::new(Kind::Corrupt, format!("{file}: its {what}: {why}"));
    let manifest = String::from_utf8(part(&snapshot.manifest.object))
        .map_err(|e| corrupt("manifest", e.utf8_error().to_string()))?;
    let configuration = serde_json::from_slice(&part(&snapshot.configuration))
        .map_err(|e| corrupt("configuration", e.to_string()))?;
    Ok(Side {
        title: format!("{} in {file}", snapshot.title()),
        lock: LockfileText::from_bytes(&snapshot.lock.path, part(&snapshot.lock.object))?,
        manifest: Some(manifest),
        configuration: Some(configuration),
        env: Some(snapshot.env.path.clone()),
    })
}

fn live(cx: &Cx, name: &str) -> Result<Side> {
    let scope = Scope::open(cx, Some(name))?;
    let environment = scope.inside()?;
    let lock = crate::spack::read::env_status::needs_lock(LockfileText::of(cx, environment)?, environment)?;
    Ok(Side {
        title: format!("{} now", environment.name),
        lock,
        manifest: Some(cx.world.eyes.read_text(&environment.manifest_file())?),
        configuration: Some(configuration::read(cx, &scope)?),
        env: Some(environment.path.clone()),
    })
}

//! What moonstack itself knew of each hash of an environment: where it was, whether users had asked for it, which
//! recipe it came from. Spack's lock says none of this.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::parallel::pieces;
use crate::base::{Kind, Result, Trouble, digest};
use crate::snapshot::store::document::RepositoryRecord;
use crate::spack::config::locate;
use crate::spack::drive::installed::{Store, closure};
use crate::spack::drive::session::Scope;
use crate::spack::lock::contents::LockContents;
use crate::spack::store::recipes::recipe_of;
use crate::spack::store::row::external_is_gone;
use crate::world::Eyes;
use crate::world::fs::eyes::FileKind;

/// One concrete spec of the lock, as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HashState {
    pub hash: String,
    pub name: String,
    pub version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    pub installed: bool,
    pub explicit: bool,
    /// Needed only to build others: Spack does without it where nothing is built.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub build_only: bool,
    /// Not built by Spack but found; `version` is what it was then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// Spack's own hash of recipe and patches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package_hash: Option<String>,
    /// Digest of the recipe's folder; none where no repository had the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipe: Option<String>,
}

/// The state of all hashes of a lock, sorted by hash.
pub fn of(eyes: &dyn Eyes, store: &Store, lock: &LockContents, repositories: &[PathBuf]) -> Vec<HashState> {
    let needed = closure(&lock.specs, lock.root_hashes());
    let recipes = recipe_digests(eyes, lock, repositories);
    lock.specs
        .values()
        .map(|row| {
            let held = store.get(&row.hash);
            let external = row.external.as_ref();
            let prefix = match external {
                Some(external) => external.path.clone(),
                None => held.and_then(|h| h.prefix.clone()),
            };
            let recipe = match external {
                Some(_) => None,
                None => recipes.get(row.name.as_str()).cloned().flatten(),
            };
            HashState {
                hash: row.hash.clone(),
                name: row.name.clone(),
                version: row.version.clone(),
                prefix,
                installed: match external {
                    Some(external) => !external_is_gone(eyes, external.path.as_deref()),
                    None => is_there(eyes, store, &row.hash),
                },
                explicit: held.is_some_and(|h| h.explicit),
                build_only: !needed.contains(&row.hash),
                external: external.is_some(),
                package_hash: row.package_hash.clone(),
                recipe,
            }
        })
        .collect()
}

/// On record with its prefix.
pub fn is_there(eyes: &dyn Eyes, store: &Store, hash: &str) -> bool {
    store.get(hash).is_some_and(|held| held.exists(eyes))
}

pub fn repositories(eyes: &dyn Eyes, scope: &Scope) -> Result<Vec<RepositoryRecord>> {
    let mut out = Vec::new();
    for repo in scope.config.repos()? {
        let commit = locate::commit_of(eyes, &repo.path);
        out.push(RepositoryRecord { namespace: repo.name, path: repo.path, commit });
    }
    Ok(out)
}

/// Of each package that Spack builds. There are several files to read for each, so that it is done side by side.
fn recipe_digests<'l>(
    eyes: &dyn Eyes,
    lock: &'l LockContents,
    repositories: &[PathBuf],
) -> BTreeMap<&'l str, Option<String>> {
    let built = lock.specs.values().filter(|row| row.external.is_none());
    let names: Vec<&str> = built.map(|row| row.name.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    let digests = |names: &[&'l str]| -> Vec<_> {
        names.iter().map(|name| (*name, recipe_digest(eyes, repositories, name))).collect()
    };
    pieces(&names, 8, digests).into_iter().flatten().collect()
}

/// Digest of a recipe with everything beside it, patches above all; byte code is left out.
pub fn recipe_digest(eyes: &dyn Eyes, repositories: &[PathBuf], package: &str) -> Option<String> {
    let recipe = repositories.iter().find_map(|folder| recipe_of(eyes, folder, package))?;
    let mut text = String::new();
    add_files(eyes, recipe.parent()?, "", &mut text).ok()?;
    Some(digest::bytes(text.as_bytes()))
}

fn add_files(eyes: &dyn Eyes, folder: &Path, within: &str, text: &mut String) -> Result<()> {
    for name in eyes.list(folder)? {
        let path = folder.join(&name);
        let shown = format!("{within}{name}");
        match eyes.stat(&path)?.kind {
            FileKind::Folder if name == "__pycache__" => {}
            FileKind::Folder => add_files(eyes, &path, &format!("{shown}/"), text)?,
            FileKind::File => text.push_str(&format!("{shown} {}\n", eyes.digest(&path)?)),
            _ => {}
        }
    }
    Ok(())
}

/// What is not there of what the environment needs to run.
pub fn missing(states: &[HashState]) -> Vec<&HashState> {
    states.iter().filter(|s| !s.installed && !s.build_only).collect()
}

/// Refuses an environment that is not all there.
pub fn refuse_missing(name: &str, states: &[HashState], partial: bool) -> Result<()> {
    let mut missing = missing(states);
    missing.sort_by(|a, b| (&a.name, &a.hash).cmp(&(&b.name, &b.hash)));
    if missing.is_empty() || partial {
        return Ok(());
    }
    let names: Vec<String> = missing
        .iter()
        .take(5)
        .map(|s| {
            let spec = format!("{}@{}/{}", s.name, s.version, s.hash.get(..7).unwrap_or(""));
            match s.prefix.as_deref().filter(|_| s.external) {
                Some(prefix) => format!("{spec} (external, gone from {prefix})"),
                None => spec,
            }
        })
        .collect();
    let more = if missing.len() > names.len() { ", …" } else { "" };
    Err(Trouble::new(
        Kind::Refused,
        format!(
            "{} of {} specs of '{name}' are not installed: {}{more}",
            missing.len(),
            states.len(),
            names.join(", ")
        ),
    )
    .hint(format!("install it first (moonstack env install {name}), or ask for a partial snapshot"))
    .fact("missing", missing.iter().map(|s| s.hash.clone()).collect::<Vec<_>>()))
}

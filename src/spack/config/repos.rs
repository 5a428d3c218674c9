//! Package repositories: the list of paths of 0.2x, and the named paths and git clones of 1.x, with the folder
//! on this machine where their recipes are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::Config;
use super::paths::{Substitution, base32_sha1};
use crate::base::redact::redact;
use crate::base::{Kind, Result};
use crate::spack::text::yaml::{self, Key, Mode, Value, Yaml};
use crate::world::Eyes;

/// A package repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Repo {
    /// The namespace, as far as it is known without looking into the repository.
    pub name: Option<String>,
    /// The folder itself, or that of the clone.
    pub path: PathBuf,
    /// Folders of repositories inside the clone, when the configuration names them.
    pub paths: Vec<String>,
    pub git: Option<Git>,
    pub origin: String,
}

/// What is cloned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Git {
    pub url: String,
    pub branch: Option<String>,
    pub tag: Option<String>,
    pub commit: Option<String>,
}

impl Config {
    /// The folders with recipes, highest precedence first.
    pub fn recipe_folders(&self, eyes: &dyn Eyes) -> Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for repo in self.repos()? {
            folders.extend(repo.folders(eyes)?);
        }
        Ok(folders)
    }

    /// All package repositories, highest precedence first.
    pub fn repos(&self) -> Result<Vec<Repo>> {
        let section = self.section("repos")?;
        if section.is_list() {
            return section
                .list()
                .iter()
                .map(|entry| {
                    let path = self.sub.resolve(entry)?;
                    Ok(Repo {
                        name: self.namespaces.get(&path).cloned(),
                        path,
                        paths: Vec::new(),
                        git: None,
                        origin: entry.mark.to_string(),
                    })
                })
                .collect();
        }
        section.entries().iter().map(|(key, entry)| self.repo(&key.name, entry)).collect()
    }

    fn repo(&self, name: &str, entry: &Yaml) -> Result<Repo> {
        let origin = entry.mark.to_string();
        if !entry.is_map() {
            let path = self.sub.resolve(entry)?;
            return Ok(Repo { name: Some(name.to_owned()), path, paths: Vec::new(), git: None, origin });
        }
        let text = |key: &str| entry.get(key).and_then(Yaml::scalar_text);
        let Some(url) = text("git") else {
            return Err(entry
                .wrong(format!("the repository '{name}' has neither a path nor a git URL"))
                .hint("a scope that only changes 'destination' needs another that gives 'git'"));
        };
        let path = match entry.get("destination") {
            Some(destination) => self.sub.resolve(destination)?,
            None => default_clone(&self.sub, &url),
        };
        Ok(Repo {
            name: Some(name.to_owned()),
            path,
            paths: entry.get("paths").map(Yaml::texts).unwrap_or_default(),
            git: Some(Git {
                url: redact(&url),
                branch: text("branch"),
                tag: text("tag"),
                commit: text("commit"),
            }),
            origin,
        })
    }
}

/// Where Spack clones a repository that has no destination.
fn default_clone(sub: &Substitution, url: &str) -> PathBuf {
    let name = base32_sha1(url);
    let short = name.get(name.len().saturating_sub(7)..).unwrap_or(&name);
    sub.user_cache.join("package_repos").join(short)
}

impl Repo {
    /// The folders that hold `repo.yaml`: the path itself, or what the clone's index names. Empty when a
    /// clone has not been made yet.
    pub fn folders(&self, eyes: &dyn Eyes) -> Result<Vec<PathBuf>> {
        if self.git.is_none() {
            return Ok(vec![self.path.clone()]);
        }
        if !self.paths.is_empty() {
            return Ok(self.paths.iter().map(|path| self.path.join(path)).collect());
        }
        let index = self.path.join("spack-repo-index.yaml");
        let text = match eyes.read_text(&index) {
            Ok(text) => text,
            Err(trouble) if trouble.is(Kind::NotFound) => return Ok(Vec::new()),
            Err(trouble) => return Err(trouble),
        };
        let tree = yaml::parse(&text, &index)?;
        let paths = tree.get("repo_index").and_then(|i| i.get("paths")).map(Yaml::texts).unwrap_or_default();
        Ok(paths.iter().map(|path| self.path.join(path)).collect())
    }
}

/// The namespace that a repository states in its `repo.yaml`.
pub fn namespace(eyes: &dyn Eyes, folder: &Path) -> Option<String> {
    let file = folder.join("repo.yaml");
    let tree = yaml::parse(&eyes.read_text(&file).ok()?, &file).ok()?;
    tree.get("repo")?.get("namespace")?.scalar_text()
}

/// Looks up the namespaces of a list of paths.
pub(in crate::spack) fn read_namespaces(
    eyes: &dyn Eyes,
    sub: &Substitution,
    list: &Yaml,
    known: &mut BTreeMap<PathBuf, String>,
) {
    for entry in list.list() {
        let Ok(path) = sub.resolve(entry) else { continue };
        if let Some(name) = namespace(eyes, &path) {
            known.insert(path, name);
        }
    }
}

/// The list form in a release that wants names: keyed by namespace; what has none is left out, as in Spack.
pub(in crate::spack) fn modernize(
    sub: &Substitution,
    repos: &mut Yaml,
    known: &BTreeMap<PathBuf, String>,
    not_understood: &mut Vec<String>,
) -> Result<()> {
    let mut entries: Vec<(Key, Yaml)> = Vec::new();
    for entry in repos.list() {
        let path = sub.resolve(entry)?;
        match known.get(&path) {
            Some(name) => {
                let key = Key { name: name.clone(), mode: Mode::Merge, mark: entry.mark.clone() };
                entries.retain(|(k, _)| k.name != *name);
                entries.push((key, entry.clone()));
            }
            None => not_understood.push(format!("{}: no repository at {}", entry.mark, path.display())),
        }
    }
    repos.value = Value::Map(entries);
    Ok(())
}

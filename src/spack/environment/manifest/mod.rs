//! `spack.yaml`: the specs that an environment asks for, its views, develop specs and included environments, and
//! edits that keep everything else of the file. Conditions and exclusions that are not understood natively are
//! listed, and never silently decided.
//!
//! ```text
//! { edit_roots, permissions → setting, redirect } → blocks → { edit, elements, lists }
//! ```

pub mod blocks;
pub mod edit;
pub mod edit_roots;
pub mod elements;
pub mod lists;
pub mod permissions;
pub mod redirect;
pub mod setting;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::combine::dialect;
use crate::base::{Kind, Result, Trouble};
use crate::spack::config::Config;
use crate::spack::config::keys;
use crate::spack::store::recipes::{Recipes as _, RepositoryRecipes};
use crate::spack::text::yaml::{self, Yaml};
use crate::world::Eyes;
use lists::{Lists, UserSpec};

/// A view of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct View {
    pub name: String,
    pub root: PathBuf,
    /// `all`, `roots` or `run`.
    pub link: String,
    /// `symlink`, `hardlink` or `copy`.
    pub link_type: String,
    pub select: Vec<String>,
    pub exclude: Vec<String>,
    pub projections: Vec<(String, String)>,
}

/// A package that is built from a folder of sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Develop {
    pub name: String,
    pub spec: String,
    pub path: PathBuf,
}

/// What an environment asks for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Manifest {
    pub path: PathBuf,
    pub specs: Vec<UserSpec>,
    pub views: Vec<View>,
    /// Folders of the environments whose locks are included.
    pub include_concrete: Vec<PathBuf>,
    pub develop: Vec<Develop>,
    /// `true`, `false` or `when_possible`.
    pub unify: String,
    /// What only Spack can decide; then `specs` is not complete.
    pub not_understood: Vec<String>,
    /// What `specs` come from.
    #[serde(skip)]
    pub lists: Lists,
}

impl Manifest {
    /// Reads the manifest of the environment that `config` was loaded for.
    pub fn read(eyes: &dyn Eyes, config: &Config) -> Result<Manifest> {
        let Some(folder) = config.sub.environment.clone() else {
            return Err(Trouble::new(Kind::Internal, "the configuration was loaded without an environment"));
        };
        let file = folder.join("spack.yaml");
        let tree = yaml::parse(&eyes.read_text(&file)?, &file)?;
        check_keys(&tree, config)?;
        let empty = Yaml::new(yaml::Value::Null, tree.mark.clone());
        let spack = tree.get("spack").unwrap_or(&empty);
        let recipes = RepositoryRecipes::new(
            eyes,
            config.recipe_folders(eyes).unwrap_or_default(),
            dialect(config.release),
        );
        let lists = Lists::read(&tree, config, |name| recipes.is_package(name).unwrap_or_default())?;
        let roots = lists.roots()?;
        Ok(Manifest {
            path: file,
            specs: roots.specs,
            views: views(config, &folder)?,
            include_concrete: spack
                .get("include_concrete")
                .map(Yaml::list)
                .unwrap_or_default()
                .iter()
                .map(|entry| config.sub.resolve(entry))
                .collect::<Result<_>>()?,
            develop: develop(config, &folder)?,
            unify: config
                .get("concretizer:unify")?
                .and_then(Yaml::scalar_text)
                .unwrap_or_else(|| "true".to_owned()),
            not_understood: roots.not_understood,
            lists,
        })
    }
}

/// Spack refuses a manifest with keys that it does not know, and so do we.
fn check_keys(tree: &Yaml, config: &Config) -> Result<()> {
    if !tree.is_map() {
        return Err(tree.wrong("an environment needs the top-level key 'spack'"));
    }
    let refuse = |key: &yaml::Key, known: &[&str]| {
        let trouble = yaml::wrong(&key.mark, format!("the key '{}' is not known here", key.name));
        match crate::base::nearest::nearest(&key.name, known.iter().copied()) {
            Some(near) => trouble.hint(format!("did you mean '{near}'?")),
            None => trouble.hint("everything in spack.yaml stands under the one key 'spack'"),
        }
    };
    for (key, value) in tree.entries() {
        if key.name != "spack" {
            return Err(refuse(key, &["spack"]));
        }
        if !value.is_map() && !value.is_null() {
            return Err(value.wrong("'spack' must hold a mapping"));
        }
    }
    let known = keys::environment_keys(config.release);
    let inner = tree.get("spack").map(Yaml::entries).unwrap_or_default();
    match inner.iter().find(|(key, _)| !known.contains(&key.name.as_str())) {
        Some((key, _)) => Err(refuse(key, &known)),
        None => Ok(()),
    }
}

fn views(config: &Config, folder: &Path) -> Result<Vec<View>> {
    let default = || folder.join(".spack-env/view");
    let simple = |name: &str, root: PathBuf| View {
        name: name.to_owned(),
        root,
        link: "all".to_owned(),
        link_type: "symlink".to_owned(),
        select: Vec::new(),
        exclude: Vec::new(),
        projections: Vec::new(),
    };
    let section = config.section("view")?;
    let root = |value: &Yaml| config.sub.resolve_in(value, folder);
    if let Some(on) = section.bool() {
        return Ok(if on { vec![simple("default", default())] } else { Vec::new() });
    }
    if section.text().is_some() {
        return Ok(vec![simple("default", root(section)?)]);
    }
    if section.entries().is_empty() && !section.mark.is_file() {
        return Ok(vec![simple("default", default())]);
    }
    let mut out = Vec::new();
    for (key, entry) in section.entries() {
        if !entry.is_map() {
            out.push(simple(&key.name, root(entry)?));
            continue;
        }
        let Some(written) = entry.get("root") else {
            return Err(entry.wrong(format!("the view '{}' has no root", key.name)));
        };
        let text = |name: &str, default: &str| {
            entry.get(name).and_then(Yaml::scalar_text).unwrap_or_else(|| default.to_owned())
        };
        let projections = entry.get("projections").map(Yaml::entries).unwrap_or_default();
        out.push(View {
            name: key.name.clone(),
            root: root(written)?,
            link: text("link", "all"),
            link_type: text("link_type", "symlink"),
            select: entry.get("select").map(Yaml::texts).unwrap_or_default(),
            exclude: entry.get("exclude").map(Yaml::texts).unwrap_or_default(),
            projections: projections
                .iter()
                .filter_map(|(k, v)| Some((k.name.clone(), v.scalar_text()?)))
                .collect(),
        });
    }
    Ok(out)
}

fn develop(config: &Config, folder: &Path) -> Result<Vec<Develop>> {
    let section = config.section("develop")?;
    section
        .entries()
        .iter()
        .map(|(key, entry)| {
            let text = |name: &str| entry.get(name).and_then(Yaml::scalar_text);
            let path = match entry.get("path") {
                Some(path) => config.sub.resolve_in(path, folder)?,
                None => config.sub.resolve_from(&key.name, folder).path(),
            };
            Ok(Develop {
                name: key.name.clone(),
                spec: text("spec").unwrap_or_else(|| key.name.clone()),
                path,
            })
        })
        .collect()
}

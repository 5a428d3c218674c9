//! `spack.yaml`: the specs that an environment asks for, its views, develop specs and included environments, and
//! edits that keep everything else of the file. Conditions and exclusions that are not understood natively are
//! listed, and never silently decided.
//!
//! ```text
//! { permissions, redirect } → edit
//! ```

pub mod edit;
pub mod permissions;
pub mod redirect;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::speclist::{self, Definitions, Item, Satisfies};
use crate::base::{Kind, Result, Trouble};
use crate::spack::config::Config;
use crate::spack::config::keys;
use crate::spack::config::when;
use crate::spack::text::yaml::{self, Yaml};
use crate::world::Eyes;

/// A spec as the user asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UserSpec {
    /// The whole spec in one text.
    pub text: String,
    /// What it was put together from; one part unless it comes from a matrix.
    pub constraints: Vec<String>,
    /// The group that it stands in (1.2).
    pub group: Option<String>,
    /// Line of the manifest, or of the file with the definition.
    pub line: u32,
}

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
}

impl Manifest {
    /// Reads the manifest of the environment that `config` was loaded for. `satisfies` decides exclusions of
    /// matrices; without it, matrices that exclude are listed as not understood.
    pub fn read(eyes: &dyn Eyes, config: &Config, satisfies: Option<Satisfies<'_>>) -> Result<Manifest> {
        let Some(folder) = config.sub.environment.clone() else {
            return Err(Trouble::new(Kind::Internal, "the configuration was loaded without an environment"));
        };
        let file = folder.join("spack.yaml");
        let tree = yaml::parse(&eyes.read_text(&file)?, &file)?;
        check_keys(&tree, config)?;
        let empty = Yaml::new(yaml::Value::Null, tree.mark.clone());
        let spack = tree.get("spack").unwrap_or(&empty);
        let mut manifest = Manifest {
            path: file,
            specs: Vec::new(),
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
            not_understood: Vec::new(),
        };
        let definitions = definitions(config, &mut manifest.not_understood)?;
        manifest.add_specs(spack.get("specs").unwrap_or(&empty), &definitions, config, satisfies)?;
        Ok(manifest)
    }

    fn add_specs(
        &mut self,
        list: &Yaml,
        definitions: &Definitions,
        config: &Config,
        satisfies: Option<Satisfies<'_>>,
    ) -> Result<()> {
        if !list.is_list() && !list.is_null() {
            return Err(list.wrong("'specs' must be a list"));
        }
        for entry in list.list() {
            let one = Yaml::new(yaml::Value::List(vec![entry.clone()]), entry.mark.clone());
            let (group, part) = match entry.get("group") {
                None => (None, one),
                Some(_) if !config.release.abilities().spec_groups => {
                    return Err(entry.wrong("groups of specs need Spack 1.2 or newer"));
                }
                Some(name) => (name.scalar_text(), group_list(entry)),
            };
            for item in speclist::items(&part, definitions)? {
                self.add_item(&item, group.as_deref(), satisfies)?;
            }
        }
        Ok(())
    }

    fn add_item(&mut self, item: &Item, group: Option<&str>, satisfies: Option<Satisfies<'_>>) -> Result<()> {
        match speclist::expand(std::slice::from_ref(item), satisfies) {
            Ok(all) => self.specs.extend(all.into_iter().map(|one| UserSpec {
                text: speclist::joined(&one.constraints),
                constraints: one.constraints,
                group: group.map(str::to_owned),
                line: one.source.mark.line,
            })),
            Err(trouble) if trouble.is(Kind::Unsupported) => {
                self.not_understood.push(trouble.message().to_owned());
            }
            Err(trouble) => return Err(trouble),
        }
        Ok(())
    }
}

/// The list of a group: `specs`, or a matrix beside the name.
fn group_list(entry: &Yaml) -> Yaml {
    if let Some(list) = entry.get("specs") {
        return list.clone();
    }
    let mut matrix = entry.clone();
    if let yaml::Value::Map(entries) = &mut matrix.value {
        entries.retain(|(key, _)| matches!(key.name.as_str(), "matrix" | "exclude"));
        if entries.is_empty() {
            return Yaml::new(yaml::Value::Null, matrix.mark);
        }
    }
    let mark = matrix.mark.clone();
    Yaml::new(yaml::Value::List(vec![matrix]), mark)
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

/// The named lists, from all scopes. Later releases put the parts of one name together before they follow
/// references; earlier ones go through them in order.
fn definitions(config: &Config, not_understood: &mut Vec<String>) -> Result<Definitions> {
    let together = config.release.abilities().scopes_from_include;
    let mut parts: Vec<(String, Vec<Yaml>)> = Vec::new();
    for entry in config.section("definitions")?.list() {
        let mut names = entry.entries().iter().filter(|(key, _)| key.name != "when");
        let (Some((key, list)), None) = (names.next(), names.next()) else {
            return Err(entry.wrong("a definition has one name (and maybe 'when')"));
        };
        if let Some(condition) = entry.get("when").and_then(Yaml::scalar_text) {
            match when::holds(&condition, &config.sub.host, &config.sub.vars) {
                Ok(true) => {}
                Ok(false) if parts.iter().any(|(name, _)| *name == key.name) || !together => continue,
                // The name is defined even when no part of it applies.
                Ok(false) => {
                    parts.push((key.name.clone(), Vec::new()));
                    continue;
                }
                Err(trouble) => {
                    not_understood.push(format!("{}: {}", entry.mark, trouble.message()));
                    continue;
                }
            }
        }
        match parts.iter_mut().find(|(name, _)| together && *name == key.name) {
            Some((_, lists)) => lists.push(list.clone()),
            None => parts.push((key.name.clone(), vec![list.clone()])),
        }
    }
    let mut known = Definitions::new();
    for (name, lists) in parts {
        let mut all = Vec::new();
        for list in &lists {
            all.extend(speclist::items(list, &known)?);
        }
        known.entry(name).or_default().extend(all);
    }
    Ok(known)
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

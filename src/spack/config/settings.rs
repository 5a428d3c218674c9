//! Typed reading of the settings that decide where things are: install tree, upstreams, environments, stages,
//! caches, locks, module roots. Each value comes with its origin.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use schemars::JsonSchema;
use serde::Serialize;

use super::Config;
use super::paths;
use crate::base::Result;
use crate::spack::text::yaml::{Key, Mark, Mode, Value, Yaml};
use crate::world::Eyes;

/// A folder and where its setting was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Located {
    pub path: PathBuf,
    /// `file:line`, or in words where no file says so.
    pub origin: String,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InstallTree {
    /// Where packages and the database are, padding included.
    pub root: PathBuf,
    /// The root before padding, where `bin/sbang` is.
    pub unpadded_root: PathBuf,
    pub padded_length: Option<u64>,
    /// How prefixes are named, by spec; `all` is the rest.
    pub projections: Vec<(String, String)>,
    /// Characters of the hash in prefixes.
    pub hash_length: Option<i64>,
    pub origin: String,
}

/// A store of another Spack whose packages are used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Upstream {
    pub name: String,
    pub install_tree: PathBuf,
    pub modules: Vec<(String, PathBuf)>,
    pub origin: String,
}

/// Where generated modules are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModuleSet {
    pub name: String,
    /// `tcl`, `lmod`.
    pub enabled: Vec<String>,
    /// By kind of module system.
    pub roots: Vec<(String, PathBuf)>,
    /// Between a root and its modules stands a folder for each architecture.
    pub arch_folder: bool,
}

/// Where Spack puts modules of a set that does not say it, by kind.
const MODULE_ROOTS: &[(&str, &str)] = &[("tcl", "share/spack/modules"), ("lmod", "share/spack/lmod")];

impl ModuleSet {
    /// The kinds of module files that are made; what else is enabled is nothing that Spack knows.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.enabled.iter().map(String::as_str).filter(|kind| matches!(*kind, "tcl" | "lmod"))
    }

    /// The same, with where they go.
    pub fn placed(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.kinds().filter_map(|kind| {
            let (_, root) = self.roots.iter().find(|(name, _)| name == kind)?;
            Some((kind, root.as_path()))
        })
    }
}

static OLD_PADDING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$padding(?::(\d+))?|\$\{padding(?::(\d+))?\}").ok());

/// What Spack keeps free below the longest path when padding is `true`.
const ROOM_FOR_PREFIXES: u64 = 300;
/// The longest path of Linux.
const LONGEST_PATH: u64 = 4096;

impl Config {
    /// The install tree, with padding applied as Spack does.
    pub fn install_tree(&self) -> Result<InstallTree> {
        let tree = self.get("config:install_tree")?;
        let root = match tree {
            Some(tree) if tree.is_map() => tree.get("root"),
            other => other.filter(|t| !t.is_null()),
        };
        let root = root.map(|root| a_path(root, "config:install_tree")).transpose()?;
        let (written, origin) = match root {
            Some(root) => (self.sub.resolve(root)?.display().to_string(), root.mark.to_string()),
            None => {
                (self.sub.root.join("opt/spack").display().to_string(), "Spack's built-in value".to_owned())
            }
        };
        let mut length = tree.and_then(|t| t.get("padded_length")).and_then(padding);
        let mut unpadded = written;
        let old = OLD_PADDING.as_ref().and_then(|re| re.captures(&unpadded)).map(|found| {
            let number = found.get(1).or_else(|| found.get(2)).and_then(|m| m.as_str().parse().ok());
            (found[0].to_owned(), number.unwrap_or(LONGEST_PATH - ROOM_FOR_PREFIXES))
        });
        if let Some((text, number)) = old.filter(|_| length.is_none()) {
            unpadded = unpadded.replace(&text, "");
            length = Some(number);
        }
        let unpadded = unpadded.trim_end_matches('/').to_owned();
        let padded = length
            .and_then(|n| usize::try_from(n).ok())
            .map_or_else(|| unpadded.clone(), |n| paths::padded(&unpadded, n));
        Ok(InstallTree {
            root: padded.into(),
            unpadded_root: unpadded.into(),
            padded_length: length,
            projections: self.projections(tree)?,
            hash_length: self.get("config:install_hash_length")?.and_then(Yaml::int),
            origin,
        })
    }

    fn projections(&self, tree: Option<&Yaml>) -> Result<Vec<(String, String)>> {
        let written = tree.and_then(|t| t.get("projections")).map(Yaml::entries).unwrap_or_default();
        let mut out: Vec<(String, String)> = written
            .iter()
            .filter_map(|(k, v)| Some((k.name.clone(), v.scalar_text()?.to_lowercase())))
            .collect();
        if out.is_empty() {
            let scheme = self.get("config:install_path_scheme")?.and_then(Yaml::scalar_text);
            let default = if self.release.abilities().compilers_are_nodes {
                "{architecture.platform}-{architecture.target}/{name}-{version}-{hash}"
            } else {
                "{architecture}/{compiler.name}-{compiler.version}/{name}-{version}-{hash}"
            };
            out.push(("all".to_owned(), scheme.map_or_else(|| default.to_owned(), |s| s.to_lowercase())));
        }
        Ok(out)
    }

    /// Upstream stores, nearest first.
    pub fn upstreams(&self) -> Result<Vec<Upstream>> {
        let mut out = Vec::new();
        for (name, entry) in self.section("upstreams")?.entries() {
            let Some(tree) = entry.get("install_tree") else {
                return Err(entry.wrong(format!("the upstream '{}' has no install_tree", name.name)));
            };
            let modules = entry.get("modules").map(Yaml::entries).unwrap_or_default();
            out.push(Upstream {
                name: name.name.clone(),
                install_tree: self.sub.resolve(a_path(tree, "the install_tree of an upstream")?)?,
                modules: self.resolved(modules)?,
                origin: tree.mark.to_string(),
            });
        }
        Ok(out)
    }

    /// The folder of managed environments.
    pub fn environments_root(&self) -> Result<Located> {
        self.folder("config:environments_root", &self.sub.root.join("var/spack/environments"))
    }

    /// Downloads.
    pub fn source_cache(&self) -> Result<Located> {
        self.folder("config:source_cache", &self.sub.root.join("var/spack/cache"))
    }

    /// Indices and other things that Spack can make again.
    pub fn misc_cache(&self) -> Result<Located> {
        self.folder("config:misc_cache", &self.sub.user_cache.join("cache"))
    }

    pub fn test_stage(&self) -> Result<Located> {
        self.folder("config:test_stage", &self.sub.user_cache.join("test"))
    }

    pub fn license_dir(&self) -> Result<Located> {
        self.folder("config:license_dir", &self.sub.root.join("etc/spack/licenses"))
    }

    fn folder(&self, path: &str, default: &Path) -> Result<Located> {
        let written = self.get(path)?.filter(|value| !value.is_null());
        let written = written.map(|value| a_path(value, path)).transpose()?;
        Ok(match written.filter(|value| value.text().is_some_and(|t| !t.is_empty())) {
            Some(value) => Located { path: self.sub.resolve(value)?, origin: value.mark.to_string() },
            None => Located { path: default.to_owned(), origin: "Spack's built-in value".to_owned() },
        })
    }

    /// Candidates for build stages in order; Spack takes the first that it can write. The user's name is
    /// appended where a candidate does not contain it, as Spack does.
    pub fn build_stage(&self) -> Result<Vec<Located>> {
        let Some(value) = self.get("config:build_stage")? else { return Ok(Vec::new()) };
        let items: Vec<&Yaml> = if value.is_list() { value.list().iter().collect() } else { vec![value] };
        let user = &self.sub.host.user;
        items
            .into_iter()
            .map(|item| {
                let mut path = self.sub.resolve(item)?;
                if !user.is_empty() && !path.components().any(|c| c.as_os_str() == user.as_str()) {
                    path.push(user);
                }
                Ok(Located { path, origin: item.mark.to_string() })
            })
            .collect()
    }

    /// Named paths.
    fn resolved(&self, entries: &[(Key, Yaml)]) -> Result<Vec<(String, PathBuf)>> {
        entries.iter().map(|(key, path)| Ok((key.name.clone(), self.sub.resolve(path)?))).collect()
    }

    /// Whether Spack locks what it works on.
    pub fn locks(&self) -> Result<bool> {
        Ok(self.get("config:locks")?.and_then(Yaml::bool).unwrap_or(true))
    }

    /// Seconds that Spack waits for the database's lock.
    pub fn db_lock_timeout(&self) -> Result<u64> {
        let written = self.get("config:db_lock_timeout")?.and_then(Yaml::int);
        Ok(written.and_then(|n| u64::try_from(n).ok()).unwrap_or(60))
    }

    /// The sets of generated modules.
    pub fn module_sets(&self) -> Result<Vec<ModuleSet>> {
        const NOT_SETS: &[&str] = &["prefix_inspections", "enable", "lmod", "tcl", "roots"];
        let mut out = Vec::new();
        for (name, set) in self.section("modules")?.entries() {
            if NOT_SETS.contains(&name.name.as_str()) {
                continue;
            }
            let mut roots = self.resolved(set.get("roots").map(Yaml::entries).unwrap_or_default())?;
            for (kind, below) in MODULE_ROOTS {
                if roots.iter().all(|(named, _)| named != kind) {
                    roots.push(((*kind).to_owned(), self.sub.root.join(below)));
                }
            }
            out.push(ModuleSet {
                name: name.name.clone(),
                enabled: set.get("enable").map(Yaml::texts).unwrap_or_default(),
                roots,
                arch_folder: set.get("arch_folder").and_then(Yaml::bool).unwrap_or(true),
            });
        }
        Ok(out)
    }
}

fn padding(value: &Yaml) -> Option<u64> {
    match value.value {
        Value::Bool(true) => Some(LONGEST_PATH - ROOM_FOR_PREFIXES),
        Value::Int(n) => u64::try_from(n).ok().filter(|n| *n > 0),
        _ => None,
    }
}

/// A value that must be text. Another one is refused, as Spack does: the built-in path in its place would be an answer
/// about another store.
fn a_path<'y>(value: &'y Yaml, what: &str) -> Result<&'y Yaml> {
    if value.text().is_some() { Ok(value) } else { Err(value.wrong(format!("{what} must be a path"))) }
}

/// Old forms in one scope's `config`, rewritten as Spack does when it reads them.
pub(in crate::spack) fn modernize(config: &mut Yaml, old_install_tree: bool) {
    let scheme = if old_install_tree { take(config, "install_path_scheme") } else { None };
    let curl = if old_install_tree { take(config, "use_curl") } else { None };
    let Value::Map(entries) = &mut config.value else { return };
    for (key, value) in entries.iter_mut() {
        let wrap = |name: &str, value: &Yaml| (plain_key(name, &value.mark), value.clone());
        if key.name == "install_tree" && old_install_tree && value.text().is_some() {
            value.value = Value::Map(vec![wrap("root", value)]);
        } else if key.name == "shared_linking" && value.text().is_some() {
            let bind = (plain_key("bind", &value.mark), Yaml::new(Value::Bool(false), value.mark.clone()));
            value.value = Value::Map(vec![wrap("type", value), bind]);
        }
    }
    if let Some(scheme) = scheme.filter(|s| s.text().is_some_and(|t| !t.is_empty())) {
        let mark = scheme.mark.clone();
        let all = Yaml::new(Value::Map(vec![(plain_key("all", &mark), scheme)]), mark.clone());
        let projections = Yaml::new(Value::Map(vec![(plain_key("projections", &mark), all)]), mark.clone());
        let at = entries.iter().position(|(k, _)| k.name == "install_tree");
        match at.and_then(|at| entries.get_mut(at)) {
            Some((_, tree)) => {
                *tree = super::merge::merge(tree.clone(), projections, Mode::Merge);
            }
            None => entries.push((plain_key("install_tree", &mark), projections)),
        }
    }
    if let Some(curl) = curl {
        let method = if curl.bool() == Some(true) { "curl" } else { "urllib" };
        entries.push((
            plain_key("url_fetch_method", &curl.mark),
            Yaml::new(Value::Text(method.to_owned()), curl.mark),
        ));
    }
}

fn take(map: &mut Yaml, name: &str) -> Option<Yaml> {
    let Value::Map(entries) = &mut map.value else { return None };
    let at = entries.iter().position(|(k, _)| k.name == name)?;
    Some(entries.remove(at).1)
}

fn plain_key(name: &str, mark: &Mark) -> Key {
    Key { name: name.to_owned(), mode: Mode::Merge, mark: mark.clone() }
}

/// The first stage candidate that exists, for measuring its file system.
pub fn first_existing<'a>(eyes: &dyn Eyes, candidates: &'a [Located]) -> Option<&'a Located> {
    candidates.iter().find(|candidate| eyes.finds_folder(&candidate.path))
}

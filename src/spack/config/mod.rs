//! Spack's configuration as one tree per section, merged from all scopes, each value with the file and line that it
//! came from. What cannot be known natively is listed in [`Config::not_understood`], so that a caller can ask `spack
//! config get` instead and say so. Nothing here is written.
//!
//! ```text
//! mirrors → { compilers ↔ mod ↔ repos ↔ settings ↔ variables, include } → { locate, scopes, when } →
//! { host ↔ paths, keys } → { release, merge, processor }
//! ```

pub mod compilers;
pub mod host;
pub mod include;
pub mod keys;
pub mod locate;
pub mod merge;
pub mod mirrors;
pub mod paths;
mod processor;
pub mod release;
pub mod repos;
pub mod scopes;
pub mod settings;
pub mod variables;
pub mod when;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::{Result, Trouble};
use crate::spack::text::yaml::{self, Key, Mark, Mode, Value, Yaml};
use crate::world::Eyes;
use host::{Host, Variables};
use keys::UnknownKey;
use locate::Installation;
use merge::merge;
use paths::Substitution;
use release::Release;
use scopes::{Rank, Scope, ScopeReader, Source, unplace};

/// What the configuration depends on besides the installation.
#[derive(Debug, Clone, Default)]
pub struct ConfigInputs {
    /// Environment variables.
    pub vars: Variables,
    /// Folder of the active environment.
    pub environment: Option<PathBuf>,
    /// Folders or environments of `-C`, in order.
    pub extra_scopes: Vec<PathBuf>,
    /// Settings of `-c`, such as `config:build_jobs:4`.
    pub settings: Vec<String>,
    /// What relative paths without a file are relative to.
    pub cwd: PathBuf,
}

impl ConfigInputs {
    /// The inputs of this process.
    pub fn from_process() -> ConfigInputs {
        let text = |s: std::ffi::OsString| s.to_string_lossy().into_owned();
        ConfigInputs {
            vars: std::env::vars_os().map(|(k, v)| (text(k), text(v))).collect(),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            ..ConfigInputs::default()
        }
    }
}

/// One scope, for people and checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScopeInfo {
    pub name: String,
    /// Folder or file; none for built-in values and the command line.
    pub path: Option<PathBuf>,
    pub exists: bool,
}

/// The merged configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub release: Release,
    pub sub: Substitution,
    /// Lowest precedence first.
    pub scopes: Vec<ScopeInfo>,
    /// What only Spack itself can tell, in words that name the place.
    pub not_understood: Vec<String>,
    pub unknown_keys: Vec<UnknownKey>,
    /// What it names of the environment.
    pub named: variables::Named,
    pub(super) namespaces: BTreeMap<PathBuf, String>,
    sections: BTreeMap<String, Result<Yaml>>,
    empty: Yaml,
}

impl Config {
    /// Reads and merges every scope. A broken file makes its section fail when asked for, not the rest.
    pub fn load(eyes: &dyn Eyes, installation: &Installation, inputs: &ConfigInputs) -> Result<Config> {
        let sub = substitution(eyes, installation, inputs);
        let mut reader = ScopeReader::new(eyes, &sub);
        reader.push_standard()?;
        if let Some(folder) = &inputs.environment {
            let folder = paths::normal(&inputs.cwd.join(folder));
            reader.push_environment(&format!("env:{}", folder.display()), &folder, Rank::Environment)?;
        }
        for (index, path) in inputs.extra_scopes.iter().enumerate() {
            reader.push_extra(index, path)?;
        }
        let mut not_understood = std::mem::take(&mut reader.not_understood);
        let unknown_keys = std::mem::take(&mut reader.unknown_keys);
        let mut scopes = std::mem::take(&mut reader.scopes);
        let mut namespaces = BTreeMap::new();
        for scope in &mut scopes {
            modernize(eyes, &sub, scope, &mut namespaces, &mut not_understood);
        }
        if !inputs.settings.is_empty() {
            let below = merge_all(&scopes, sub.release);
            scopes.push(command_line(&inputs.settings, &below)?);
        }
        let mut config = Config {
            release: installation.release,
            scopes: scopes.iter().map(info).collect(),
            sections: merge_all(&scopes, sub.release),
            not_understood,
            unknown_keys,
            named: variables::Named::default(),
            namespaces,
            empty: Yaml::new(Value::Map(Vec::new()), Mark::internal("nowhere")),
            sub,
        };
        config.name_variables(&scopes);
        Ok(config)
    }

    /// The merged section. An empty mapping when no scope has it.
    pub fn section(&self, name: &str) -> Result<&Yaml> {
        match self.sections.get(name) {
            Some(Ok(value)) => Ok(value),
            Some(Err(trouble)) => Err(trouble.clone()),
            None => {
                let sections = keys::sections(self.release);
                if sections.contains(&name) {
                    Ok(&self.empty)
                } else {
                    Err(Trouble::unknown("the configuration section", name, sections))
                }
            }
        }
    }

    /// The value at a path such as `config:install_tree:root`; quotes protect colons.
    pub fn get(&self, path: &str) -> Result<Option<&Yaml>> {
        let mut parts = split_path(path).into_iter();
        let mut value = Some(self.section(&parts.next().unwrap_or_default())?);
        for part in parts {
            value = value.and_then(|v| v.get(&part));
        }
        Ok(value)
    }

    /// Where the value at a path was written.
    pub fn origin(&self, path: &str) -> Result<Option<Mark>> {
        Ok(self.get(path)?.map(|value| value.mark.clone()))
    }
}

fn substitution(eyes: &dyn Eyes, installation: &Installation, inputs: &ConfigInputs) -> Substitution {
    let host = Host::detect(eyes, &inputs.vars);
    let mut sub = Substitution {
        root: installation.root.clone(),
        release: installation.release,
        host,
        vars: inputs.vars.clone(),
        user_cache: PathBuf::new(),
        environment: inputs.environment.as_ref().map(|dir| paths::normal(&inputs.cwd.join(dir))),
        cwd: inputs.cwd.clone(),
    };
    let cache = inputs.vars.get("SPACK_USER_CACHE_PATH").filter(|v| !v.is_empty());
    sub.user_cache = PathBuf::from(sub.expand_home(cache.map_or("~/.spack", String::as_str)));
    sub
}

fn info(scope: &Scope) -> ScopeInfo {
    let path = match &scope.source {
        Source::Internal => None,
        Source::Folder(path) | Source::File(path) => Some(path.clone()),
    };
    ScopeInfo { name: scope.name.clone(), path, exists: scope.exists }
}

/// Merges every section over the scopes that `include::` leaves standing.
fn merge_all(scopes: &[Scope], release: Release) -> BTreeMap<String, Result<Yaml>> {
    let last = scopes.iter().rposition(Scope::overrides_includes);
    let kept = scopes.iter().enumerate().filter(|(at, scope)| match last {
        None => true,
        Some(last) => {
            *at >= last
                || scope.rank == Rank::Defaults
                || scopes.get(last).is_some_and(|top| top.included.contains(&scope.name))
        }
    });
    let kept: Vec<&Scope> = kept.map(|(_, scope)| scope).collect();
    let mut out = BTreeMap::new();
    for section in keys::sections(release) {
        let mut merged: Option<Result<Yaml>> = None;
        for part in kept.iter().filter_map(|scope| scope.parts.get(section)) {
            merged = Some(match (merged, part) {
                (Some(Err(first)), _) => Err(first),
                (_, Err(trouble)) => Err(trouble.clone()),
                (Some(Ok(below)), Ok((key, value))) if key.mode != Mode::Override || section == "include" => {
                    Ok(merge(below, value.clone(), key.mode))
                }
                (_, Ok((_, value))) => Ok(value.clone()),
            });
        }
        if let Some(merged) = merged {
            out.insert(section.to_owned(), merged);
        }
    }
    out
}

/// Rewrites old forms as Spack does when it reads a scope.
fn modernize(
    eyes: &dyn Eyes,
    sub: &Substitution,
    scope: &mut Scope,
    namespaces: &mut BTreeMap<PathBuf, String>,
    not_understood: &mut Vec<String>,
) {
    let abilities = sub.release.abilities();
    if let Some(Ok((_, config))) = scope.parts.get_mut("config") {
        settings::modernize(config, abilities.old_install_tree_form);
    }
    if let Some(Ok((_, packages))) = scope.parts.get_mut("packages") {
        compilers::modernize(packages);
    }
    if let Some(part) = scope.parts.get_mut("repos")
        && let Ok((_, repos)) = part
        && repos.is_list()
    {
        repos::read_namespaces(eyes, sub, repos, namespaces);
        if abilities.package_repos_in_git
            && let Err(trouble) = repos::modernize(sub, repos, namespaces, not_understood)
        {
            *part = Err(trouble);
        }
    }
}

/// The scope of `-c`, laid down in the order given.
fn command_line(settings: &[String], below: &BTreeMap<String, Result<Yaml>>) -> Result<Scope> {
    let mark = Mark::internal("the command line");
    let mut tree = Yaml::new(Value::Map(Vec::new()), mark.clone());
    for setting in settings {
        let mut keys: Vec<Key> = split_marked(setting, &mark);
        let Some(last) = keys.pop().filter(|_| !keys.is_empty()) else {
            return Err(Trouble::usage(format!("'{setting}' is not a setting"))
                .hint("write SECTION:KEY:VALUE, such as config:build_jobs:4"));
        };
        let mut value = yaml::parse_named(&last.name, "the command line")?;
        unplace(&mut value, &mark);
        if !value.is_list() && takes_list(&keys, below) {
            value = Yaml::new(Value::List(vec![value]), mark.clone());
        }
        for key in keys.into_iter().rev() {
            value = Yaml::new(Value::Map(vec![(key, value)]), mark.clone());
        }
        set_into(&mut tree, value);
    }
    Ok(ScopeReader::internal("command_line", Rank::CommandLine, tree))
}

/// Adds a setting after those given before it; unlike between scopes, what is there keeps its place.
fn set_into(tree: &mut Yaml, setting: Yaml) {
    match (&mut tree.value, setting.value) {
        (Value::Map(have), Value::Map(more)) => {
            for (key, value) in more {
                match have.iter_mut().find(|(known, _)| known.name == key.name) {
                    Some((known, old)) => {
                        known.mode = key.mode;
                        if key.mode == Mode::Override { *old = value } else { set_into(old, value) }
                    }
                    None => have.push((key, value)),
                }
            }
        }
        (_, value) => {
            let old = std::mem::replace(tree, Yaml::new(Value::Null, setting.mark.clone()));
            *tree = merge(old, Yaml::new(value, setting.mark), Mode::Merge);
        }
    }
}

/// Whether the setting's value is added to a list: where lower scopes have one.
fn takes_list(keys: &[Key], below: &BTreeMap<String, Result<Yaml>>) -> bool {
    let names: Vec<&str> = keys.iter().map(|k| k.name.as_str()).collect();
    if names == ["config", "build_stage"] {
        // This one may be text as well, and then text it is.
        return false;
    }
    let Some((section, rest)) = names.split_first() else { return false };
    let Some(Ok(top)) = below.get(*section) else { return false };
    rest.iter().try_fold(top, |value, name| value.get(name)).is_some_and(Yaml::is_list)
}

/// The parts of a path, quotes removed.
fn split_path(path: &str) -> Vec<String> {
    split_marked(path, &Mark::internal("")).into_iter().map(|key| key.name).collect()
}

/// The parts of a path with their marks: `a::b` overrides at `a`, `a+:b` prepends, `a-:b` appends.
fn split_marked(path: &str, mark: &Mark) -> Vec<Key> {
    let mut parts: Vec<String> = vec![String::new()];
    let mut quote = None;
    let mut colons = 0;
    let mut overrides = BTreeSet::new();
    for c in path.chars() {
        match (quote, c) {
            (None, ':') => {
                colons += 1;
                if colons == 2 {
                    overrides.insert(parts.len() - 1);
                }
                continue;
            }
            (None, '"' | '\'') if parts.last().is_some_and(String::is_empty) || colons > 0 => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
        if colons > 0 {
            parts.push(String::new());
            colons = 0;
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    let last = parts.len() - 1;
    parts
        .into_iter()
        .enumerate()
        .map(|(at, part)| {
            let (name, mode) = match part.chars().next_back() {
                _ if overrides.contains(&at) => (part.clone(), Mode::Override),
                Some('+') if at < last => (part.trim_end_matches('+').to_owned(), Mode::Prepend),
                Some('-') if at < last => (part.trim_end_matches('-').to_owned(), Mode::Append),
                _ => (part.clone(), Mode::Merge),
            };
            let name = if at < last { name.trim_matches(['"', '\'']).to_owned() } else { name };
            Key { name, mode, mark: mark.clone() }
        })
        .collect()
}

/// Whether a folder is one that Spack accepts as environment.
pub fn is_environment(eyes: &dyn Eyes, folder: &Path) -> Result<bool> {
    eyes.is_file(&folder.join("spack.yaml"))
}

//! The scopes of configuration in Spack's order, lowest first: built-in, defaults, system, site, user, the
//! active environment, `-C` and `-c`, as each release arranges them. Reads the files; merging is not here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::keys::{self, UnknownKey};
use super::paths::Substitution;
use super::release::Release;
use crate::base::{Kind, Result, Trouble};
use crate::spack::text::yaml::{self, Key, Mark, Value, Yaml};
use crate::world::Eyes;

/// Groups of scopes; within one, the order of adding counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    Defaults,
    Files,
    Environment,
    /// Above or beneath the environment, by release.
    Extra,
    CommandLine,
}

/// Where a scope's sections are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    Internal,
    /// One file a section.
    Folder(PathBuf),
    /// All sections in one file, maybe under one top key.
    File(PathBuf),
}

/// One section of one scope: its key (which may be marked `::`) and value, or why it could not be read.
pub type Part = Result<(Key, Yaml)>;

/// One scope, read.
#[derive(Debug, Clone)]
pub struct Scope {
    pub name: String,
    pub source: Source,
    pub rank: Rank,
    pub parts: BTreeMap<String, Part>,
    /// Names of the scopes that it includes, with theirs.
    pub included: Vec<String>,
    pub exists: bool,
}

impl Scope {
    /// Whether `include::` cuts off the scopes beneath.
    pub fn overrides_includes(&self) -> bool {
        matches!(self.parts.get("include"), Some(Ok((key, _))) if key.mode == yaml::Mode::Override)
    }

    /// The folder that relative includes start from.
    pub fn folder(&self) -> Option<&Path> {
        match &self.source {
            Source::Internal => None,
            Source::Folder(path) => Some(path),
            Source::File(path) => path.parent(),
        }
    }
}

/// Reads scopes and keeps what was not understood on the way.
pub struct ScopeReader<'a> {
    pub eyes: &'a dyn Eyes,
    pub sub: &'a Substitution,
    pub release: Release,
    pub not_understood: Vec<String>,
    pub unknown_keys: Vec<UnknownKey>,
    pub scopes: Vec<Scope>,
}

impl<'a> ScopeReader<'a> {
    pub fn new(eyes: &'a dyn Eyes, sub: &'a Substitution) -> ScopeReader<'a> {
        let release = sub.release;
        ScopeReader {
            eyes,
            sub,
            release,
            not_understood: Vec::new(),
            unknown_keys: Vec::new(),
            scopes: Vec::new(),
        }
    }

    /// A folder with one file for each section. A folder that does not exist is an empty scope.
    pub fn folder(&mut self, name: &str, path: &Path, rank: Rank) -> Scope {
        // Spack, too, takes a folder that it may not look into for none.
        let exists = self.eyes.finds_folder(path);
        let mut parts = BTreeMap::new();
        if exists {
            for section in keys::sections(self.release) {
                if let Some(part) = self.section_file(section, &path.join(format!("{section}.yaml"))) {
                    parts.insert(section.to_owned(), part);
                }
            }
        }
        let source = Source::Folder(path.to_owned());
        Scope { name: name.to_owned(), source, rank, parts, included: Vec::new(), exists }
    }

    fn section_file(&mut self, section: &str, file: &Path) -> Option<Part> {
        let tree = match self.eyes.read_text(file) {
            Ok(text) => match yaml::parse(&text, file) {
                Ok(tree) => tree,
                Err(trouble) => return Some(Err(trouble)),
            },
            Err(trouble) if trouble.is(Kind::NotFound) => return None,
            Err(trouble) => return Some(Err(unreadable(trouble))),
        };
        match tree.value {
            Value::Null => None,
            Value::Map(entries) => {
                let mut found = None;
                for (key, value) in entries {
                    if key.name == section {
                        keys::check_section(section, &value, &mut self.unknown_keys);
                        found = Some(Ok((key, value)));
                    } else {
                        keys::check_key(&key, "", &[section], &mut self.unknown_keys);
                    }
                }
                found
            }
            _ => Some(Err(tree.wrong(format!("expected a mapping with the key '{section}'")))),
        }
    }

    /// One file with many sections. `under` is the top key that holds them.
    pub fn file(&mut self, name: &str, path: &Path, under: Option<&str>, rank: Rank) -> Result<Scope> {
        let source = Source::File(path.to_owned());
        let mut scope = Scope {
            name: name.to_owned(),
            source,
            rank,
            parts: BTreeMap::new(),
            included: Vec::new(),
            exists: true,
        };
        let text = self.eyes.read_text(path).map_err(unreadable)?;
        let tree = yaml::parse(&text, path)?;
        let body = match under {
            None => Some(&tree),
            Some(top) => tree.get(top),
        };
        let known = keys::environment_keys(self.release);
        for (key, value) in body.map(Yaml::entries).unwrap_or_default() {
            keys::check_key(key, "", &known, &mut self.unknown_keys);
            keys::check_section(&key.name, value, &mut self.unknown_keys);
            scope.parts.insert(key.name.clone(), Ok((key.clone(), value.clone())));
        }
        if !tree.is_map() && !tree.is_null() {
            return Err(tree.wrong("expected a mapping of configuration sections"));
        }
        Ok(scope)
    }

    /// A scope that is in no file.
    pub fn internal(name: &str, rank: Rank, sections: Yaml) -> Scope {
        let parts = match sections.value {
            Value::Map(entries) => entries.into_iter().map(|(k, v)| (k.name.clone(), Ok((k, v)))).collect(),
            _ => BTreeMap::new(),
        };
        Scope {
            name: name.to_owned(),
            source: Source::Internal,
            rank,
            parts,
            included: Vec::new(),
            exists: true,
        }
    }

    /// Adds a scope on top of its rank, what it includes beneath it.
    pub fn push(&mut self, scope: Scope) -> Result<()> {
        self.push_at(scope, 0).map(|_| ())
    }

    fn push_at(&mut self, mut scope: Scope, depth: usize) -> Result<Vec<String>> {
        if depth > MAX_INCLUDES {
            return Err(Trouble::new(
                Kind::Configuration,
                format!("configuration scopes include each other more than {MAX_INCLUDES} levels deep"),
            )
            .fact("scope", scope.name.as_str()));
        }
        let mut names = Vec::new();
        if self.release.abilities().include_section {
            for inner in self.included_scopes(&scope)?.into_iter().rev() {
                names.push(inner.name.clone());
                names.extend(self.push_at(inner, depth + 1)?);
            }
        }
        scope.included.clone_from(&names);
        self.scopes.retain(|old| old.name != scope.name);
        let environment_first = self.release.abilities().environment_beats_extra_scopes;
        let order = |rank: Rank| match rank {
            Rank::Extra if environment_first => Rank::Files as u8 * 10 + 5,
            rank => rank as u8 * 10,
        };
        let at =
            self.scopes.iter().position(|s| order(s.rank) > order(scope.rank)).unwrap_or(self.scopes.len());
        self.scopes.insert(at, scope);
        Ok(names)
    }

    /// A folder and, up to 0.23, its twin for the platform.
    pub fn push_folder(&mut self, name: &str, path: &Path, rank: Rank) -> Result<()> {
        let scope = self.folder(name, path, rank);
        self.push(scope)?;
        if self.release.abilities().platform_scopes {
            let platform = &self.sub.host.platform;
            let scope = self.folder(&format!("{name}/{platform}"), &path.join(platform), rank);
            self.push(scope)?;
        }
        Ok(())
    }

    /// Built-in values, defaults, and what system, site and user say.
    pub fn push_standard(&mut self) -> Result<()> {
        self.push(self.builtin()?)?;
        let etc = self.sub.root.join("etc/spack");
        self.push_folder("defaults", &etc.join("defaults"), Rank::Defaults)?;
        if self.release.abilities().scopes_from_include {
            return self.push_folder("spack", &etc, Rank::Files);
        }
        let local = !self.sub.vars.contains_key("SPACK_DISABLE_LOCAL_CONFIG");
        if local {
            let system = self.overridable("SPACK_SYSTEM_CONFIG_PATH", "/etc/spack");
            self.push_folder("system", &system, Rank::Files)?;
        }
        self.push_folder("site", &etc, Rank::Files)?;
        if local {
            let user = self.overridable("SPACK_USER_CONFIG_PATH", "~/.spack");
            self.push_folder("user", &user, Rank::Files)?;
        }
        Ok(())
    }

    fn overridable(&self, variable: &str, default: &str) -> PathBuf {
        let given = self.sub.vars.get(variable).filter(|v| !v.is_empty()).map_or(default, String::as_str);
        self.sub.cwd.join(self.sub.expand_home(given))
    }

    fn builtin(&self) -> Result<Scope> {
        let jobs = std::thread::available_parallelism().map_or(16, |n| n.get().min(16));
        let licences =
            serde_json::Value::from(self.sub.root.join("etc/spack/licenses").display().to_string());
        let completion = if self.release.abilities().scopes_from_include {
            "\nconcretizer: {externals: {completion: default_variants}}"
        } else {
            ""
        };
        let text = format!(
            "config: {{debug: false, connect_timeout: 10, verify_ssl: true, checksum: true, dirty: false, \
             build_jobs: {jobs}, build_stage: $tempdir/spack-stage, license_dir: {licences}}}{completion}"
        );
        let mut tree = yaml::parse_named(&text, "_builtin")?;
        unplace(&mut tree, &Mark::internal("Spack's built-in value"));
        Ok(Self::internal("_builtin", Rank::Defaults, tree))
    }
}

/// Levels of includes, as in Spack.
const MAX_INCLUDES: usize = 100;

/// Gives every value of a tree a mark that is not a place in a file.
pub fn unplace(tree: &mut Yaml, mark: &Mark) {
    tree.mark = mark.clone();
    match &mut tree.value {
        Value::List(items) => items.iter_mut().for_each(|item| unplace(item, mark)),
        Value::Map(entries) => {
            for (key, value) in entries {
                key.mark = mark.clone();
                unplace(value, mark);
            }
        }
        _ => {}
    }
}

fn unreadable(trouble: Trouble) -> Trouble {
    let kind = if trouble.is(Kind::Permission) { Kind::Permission } else { Kind::Configuration };
    let mut out = Trouble::new(kind, trouble.message()).hint("Spack itself needs to read this file too");
    for (name, value) in trouble.facts() {
        out = out.fact(name, value.clone());
    }
    out
}

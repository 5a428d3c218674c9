//! Module sets: what the configuration says of them, which name and file the module of a spec gets, what is left out
//! or hidden, and the text of a file. Names are those of Spack 1.1's default projections. When a module is written
//! is decided by whoever installs.
//!
//! ```text
//! files → { text, hierarchy } → mod
//! ```

pub(crate) mod files;
pub(crate) mod hierarchy;
pub(crate) mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::session::Session;
use super::store::{Records, Store};
use crate::practice::env::environment;
use crate::practice::model::catalogue::Catalogue;
use crate::practice::model::format;
use crate::practice::model::halt::Halt;
use crate::practice::model::query::{self, parse_one};
use crate::practice::model::record::{ALL_TYPES, FAMILY, Node, Nodes, closure, preorder};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    Tcl,
    Lmod,
}

impl System {
    pub fn parse(word: &str) -> Option<System> {
        match word {
            "tcl" => Some(System::Tcl),
            "lmod" => Some(System::Lmod),
            _ => None,
        }
    }

    pub fn word(self) -> &'static str {
        if self == System::Tcl { "tcl" } else { "lmod" }
    }
}

/// One set for one module system, with all that names and texts are made from.
pub struct ModuleSet {
    pub system: System,
    pub root: PathBuf,
    arch_folder: bool,
    /// What stands under `tcl` or `lmod`.
    pub(super) settings: Map<String, Value>,
    /// Folder of a prefix to the variables that it is put into.
    pub inspections: Map<String, Value>,
    pub(super) core: Vec<String>,
    pub store: Store,
    pub nodes: Nodes,
    explicit: BTreeSet<String>,
    pub(super) catalogue: Catalogue,
}

/// The names of the configured sets.
pub fn names(session: &Session<'_, '_>) -> Result<Vec<String>, Halt> {
    let modules = session.config.section("modules")?;
    let keys = modules.as_object().into_iter().flatten().map(|(key, _)| key.clone());
    Ok(keys.filter(|key| key != "prefix_inspections").collect())
}

/// The sets that installing and uninstalling keep up to date.
pub fn enabled(session: &Session<'_, '_>, extra: &Nodes) -> Result<Vec<ModuleSet>, Halt> {
    let modules = session.config.section("modules")?;
    let mut sets = Vec::new();
    for name in names(session)? {
        let list = modules.get(&name).and_then(|s| s.get("enable")).and_then(Value::as_array);
        for word in list.into_iter().flatten().filter_map(Value::as_str) {
            if let Some(system) = System::parse(word) {
                sets.push(ModuleSet::read(session, &name, system, extra)?);
            }
        }
    }
    Ok(sets)
}

impl ModuleSet {
    pub fn read(
        session: &Session<'_, '_>,
        name: &str,
        system: System,
        extra: &Nodes,
    ) -> Result<ModuleSet, Halt> {
        let modules = session.config.section("modules")?;
        let set = modules.get(name).cloned().unwrap_or_default();
        let default = match system {
            System::Tcl => "$spack/share/spack/modules",
            System::Lmod => "$spack/share/spack/lmod",
        };
        let root = set.get("roots").and_then(|r| r.get(system.word())).and_then(Value::as_str);
        let records = session.store.read()?;
        let mut nodes = records.nodes();
        nodes.extend(extra.iter().map(|(h, n)| (h.clone(), n.clone())));
        let settings = set.get(system.word()).and_then(Value::as_object).cloned().unwrap_or_default();
        let inspections = [modules.get("prefix_inspections"), set.get("prefix_inspections")];
        let inspections = inspections.into_iter().flatten().filter_map(Value::as_object).flatten();
        let set = ModuleSet {
            system,
            root: folder(session, root.unwrap_or(default))?,
            arch_folder: set.get("arch_folder") != Some(&Value::Bool(false)),
            core: texts(settings.get("core_compilers")),
            settings,
            inspections: inspections.map(|(k, v)| (k.clone(), v.clone())).collect(),
            store: session.store.clone(),
            nodes,
            explicit: explicit(&records),
            catalogue: Catalogue::load()?,
        };
        set.check()
    }

    fn check(self) -> Result<ModuleSet, Halt> {
        if self.system == System::Tcl {
            return Ok(self);
        }
        let wrong: Vec<String> = self.hierarchy().into_iter().filter(|t| !self.is_token(t)).collect();
        if !wrong.is_empty() {
            return Err(Halt::failed(format!(
                "Non-virtual specs in 'hierarchy' list for lmod: {}\nPlease check the 'modules.yaml' configuration files",
                wrong.join(", ")
            )));
        }
        if self.core.is_empty() {
            return Err(Halt::failed("the key \"core_compilers\" must be set in modules.yaml"));
        }
        Ok(self)
    }

    /// Takes note of what is being installed, which the database does not know yet.
    pub fn note_explicit(&mut self, hash: &str, explicit: bool) {
        if explicit {
            self.explicit.insert(hash.to_owned());
        }
    }

    fn is_explicit(&self, node: &Node) -> bool {
        self.explicit.contains(&node.hash)
    }

    pub(super) fn fits(&self, node: &Node, text: &str) -> Result<bool, Halt> {
        Ok(query::matches(node, &parse_one(text)?, &self.nodes))
    }

    pub(super) fn listed(&self, node: &Node, key: &str) -> Result<bool, Halt> {
        for text in texts(self.settings.get(key)) {
            if self.fits(node, &text)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn switched(&self, key: &str) -> bool {
        self.settings.get(key) == Some(&Value::Bool(true))
    }

    pub fn excluded(&self, node: &Node) -> Result<bool, Halt> {
        let implicit = !self.is_explicit(node) && self.switched("exclude_implicits");
        Ok(!self.listed(node, "include")? && (implicit || self.listed(node, "exclude")?))
    }

    pub fn hidden(&self, node: &Node) -> bool {
        let opens = self.system == System::Lmod && !self.provided(node).is_empty();
        !opens && !self.is_explicit(node) && self.switched("hide_implicits")
    }

    /// The rules for a spec: those of `all`, then each whose key it satisfies; lists grow.
    pub fn rules(&self, node: &Node) -> Result<Map<String, Value>, Halt> {
        let mut rules = self.settings.get("all").and_then(Value::as_object).cloned().unwrap_or_default();
        for (key, value) in &self.settings {
            let Some(rule) = value.as_object().filter(|_| !RESERVED.contains(&key.as_str())) else {
                continue;
            };
            if self.fits(node, key.trim_end_matches(':'))? {
                if key.ends_with(':') {
                    rules.clear();
                }
                extend(&mut rules, rule);
            }
        }
        Ok(rules)
    }

    /// The name that a user types.
    pub fn use_name(&self, node: &Node) -> Result<String, Halt> {
        let own = self.settings.get("projections").and_then(Value::as_object);
        let found = match own {
            Some(map) => format::projection(map, node, &self.nodes)?,
            None => None,
        };
        let default = match self.system {
            System::Tcl => "{name}/{version}-{compiler.name}-{compiler.version}",
            System::Lmod => "{name}/{version}",
        };
        let pattern = found.unwrap_or_else(|| default.to_owned());
        let mut name = format::fill(&pattern, node, &self.nodes, "").map_err(Halt::failed)?;
        let rules = self.rules(node)?;
        for (key, suffix) in rules.get("suffixes").and_then(Value::as_object).into_iter().flatten() {
            if self.contains(node, key)? {
                let suffix = suffix.as_str().unwrap_or_default();
                let suffix = format::fill(suffix, node, &self.nodes, "").map_err(Halt::failed)?;
                name.push_str(&format!("-{suffix}"));
            }
        }
        let length = self.settings.get("hash_length").and_then(Value::as_u64).unwrap_or(7) as usize;
        let length = if self.hidden(node) { 7 } else { length };
        if length > 0 {
            name.push_str(&format!("-{}", node.hash.get(..length).unwrap_or(&node.hash)));
        }
        Ok(name)
    }

    /// Whether the spec or anything below it is what the text says.
    fn contains(&self, node: &Node, text: &str) -> Result<bool, Halt> {
        let spec = parse_one(text)?;
        if spec.name.is_none() {
            return Ok(query::matches(node, &spec, &self.nodes));
        }
        let below = closure(&self.nodes, [node.hash.clone()], ALL_TYPES);
        let mut below = below.iter().filter_map(|h| self.nodes.get(h));
        Ok(below.any(|n| query::matches(n, &spec, &self.nodes)))
    }

    pub(super) fn arch_dir(&self, node: &Node) -> PathBuf {
        match self.system {
            _ if !self.arch_folder => self.root.clone(),
            System::Tcl => self.root.join(node.arch_text()),
            System::Lmod => {
                self.root.join(format!("{}-{}-{FAMILY}", node.arch.platform, node.arch.platform_os))
            }
        }
    }

    pub fn file(&self, node: &Node) -> Result<PathBuf, Halt> {
        let name = self.use_name(node)?;
        if self.system == System::Tcl {
            return Ok(self.arch_dir(node).join(name));
        }
        let needs = self.required(node)?;
        let mut path = self.arch_dir(node);
        for token in self.hierarchy() {
            if let Some((_, provider)) = needs.iter().find(|(t, _)| *t == token) {
                path = path.join(self.part(&token, provider)?);
            }
        }
        Ok(path.join(format!("{name}.lua")))
    }

    /// The modules that are loaded with this one.
    pub fn autoload(&self, node: &Node) -> Result<Vec<String>, Halt> {
        let rules = self.rules(node)?;
        let types: &[&str] = match rules.get("autoload").and_then(Value::as_str).unwrap_or("direct") {
            "none" => &[],
            "run" => &["run"],
            _ => &["link", "run"],
        };
        let all = rules.get("autoload").and_then(Value::as_str) == Some("all");
        let mut names = Vec::new();
        let hashes: Vec<String> = if all {
            preorder(&self.nodes, &node.hash).into_iter().skip(1).collect()
        } else {
            node.edges(types).map(|e| e.hash.clone()).collect()
        };
        for dependency in hashes.iter().filter_map(|h| self.nodes.get(h)) {
            if !self.excluded(dependency)? {
                names.push(self.use_name(dependency)?);
            }
        }
        names.extend(texts(rules.get("load")));
        Ok(names)
    }

    /// The file beside the module in which hidden ones are named.
    pub fn rc_file(&self, module: &Path) -> PathBuf {
        module.with_file_name(if self.system == System::Tcl { ".modulerc" } else { ".modulerc.lua" })
    }
}

/// Keys of a module system's settings that are not specs.
const RESERVED: [&str; 4] = ["all", "projections", "filter_hierarchy_specs", "suffixes"];

fn explicit(records: &Records) -> BTreeSet<String> {
    records.0.values().filter(|r| r.explicit).map(|r| r.spec.hash.clone()).collect()
}

pub fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A root of the configuration; a relative one is taken from the environment that names it.
fn folder(session: &Session<'_, '_>, text: &str) -> Result<PathBuf, Halt> {
    let text = session.config.substitute(text);
    match &session.environment {
        Some(environment) => Ok(environment.path_in(&text)),
        None => environment::absolute(Path::new(&text)),
    }
}

fn extend(rules: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (key, value) in more {
        match (rules.get_mut(key), value) {
            (Some(Value::Array(old)), Value::Array(new)) => old.extend(new.iter().cloned()),
            (Some(Value::Object(old)), Value::Object(new)) => extend(old, new),
            _ => drop(rules.insert(key.clone(), value.clone())),
        }
    }
}

//! A concrete spec as scripts and `--json` see it: plain, owned, the same for every Spack release.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::base::Result;

use super::database::State;
use super::node::{Node, Text, Value};
use super::spec::FLAG_NAMES;
use super::spec_print::quoted;
use super::stores::{Entry, Stores};

/// The value of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum VariantRow {
    Flag(bool),
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct ArchRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// Where a spec that Spack did not build comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExternalRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DependencyRow {
    pub name: String,
    pub hash: String,
    /// build, link, run, test.
    pub types: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtuals: Vec<String>,
}

/// A concrete spec and its record.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SpecRow {
    pub name: String,
    pub version: String,
    pub hash: String,
    /// Where it is, or was, installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    pub explicit: bool,
    pub installed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    pub arch: ArchRow,
    /// The compiler, as `gcc@12.2.0`; of several, the one for C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
    /// Language (`c`, `cxx`, `fortran`) and its compiler.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub languages: BTreeMap<String, String>,
    pub variants: BTreeMap<String, VariantRow>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub flags: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalRow>,
    pub dependencies: Vec<DependencyRow>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<f64>,
    /// The upstream that holds it, counted from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The hash of what replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated_for: Option<String>,
    /// The hash of what it was built as, where it is spliced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_spec: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_hash: Option<String>,
    /// Name, version, variants and architecture in Spack's syntax.
    pub spec: String,
}

fn owned(text: &Text<'_>) -> String {
    text.to_string()
}

fn all(texts: &[Text<'_>]) -> Vec<String> {
    texts.iter().map(owned).collect()
}

impl SpecRow {
    /// A record of a store.
    pub fn of_entry(stores: &Stores<'_>, entry: Entry<'_, '_>) -> Result<SpecRow> {
        let node = entry.node()?;
        let languages = languages(node, &|hash| {
            let child = stores.get(hash)?;
            Some(child.node().ok()?.version.to_string())
        });
        let record = entry.record;
        let mut row = SpecRow::of_node(node, record.hash, languages);
        row.prefix = record.path.as_ref().map(owned);
        row.explicit = record.explicit;
        row.installed = record.installed;
        row.state = Some(record.state());
        row.installed_at = record.installed_at;
        row.upstream = (entry.store > 0).then_some(entry.store);
        row.origin = record.origin.as_ref().map(owned);
        row.deprecated_for = record.deprecated_for.as_ref().map(owned);
        Ok(row)
    }

    /// A node that may not be installed, as in a lock file; see [`languages`] for the last argument.
    pub fn of_node(node: &Node<'_>, hash: &str, languages: BTreeMap<String, String>) -> SpecRow {
        let own = node.compiler.as_ref().map(|c| format!("{}@{}", c.name, c.version));
        let built = languages.get("c").or_else(|| languages.get("cxx")).or_else(|| languages.get("fortran"));
        SpecRow {
            name: owned(&node.name),
            version: owned(&node.version),
            hash: hash.to_owned(),
            prefix: None,
            explicit: false,
            installed: false,
            state: None,
            namespace: node.namespace.as_ref().map(owned),
            arch: ArchRow {
                platform: node.arch.platform.as_ref().map(owned),
                os: node.arch.os.as_ref().map(owned),
                target: node.arch.target.as_ref().map(owned),
            },
            compiler: own.or_else(|| built.cloned()),
            languages,
            variants: node.variants().map(|(name, value)| (owned(name), variant(value))).collect(),
            flags: flags(node),
            external: node
                .external
                .as_ref()
                .map(|e| ExternalRow { path: e.path.as_ref().map(owned), modules: all(&e.modules) }),
            dependencies: dependencies(node),
            installed_at: None,
            upstream: None,
            origin: None,
            deprecated_for: None,
            build_spec: node.build_spec.as_ref().map(owned),
            package_hash: node.package_hash.as_ref().map(owned),
            spec: format_node(node),
        }
    }
}

/// The compilers of a node of Spack 1.x, by language; `version` tells the version of a dependency's hash.
pub fn languages(node: &Node<'_>, version: &dyn Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for edge in node.dependencies.iter().filter(|edge| edge.has_type("build")) {
        for language in ["c", "cxx", "fortran"].iter().filter(|language| edge.provides(language)) {
            let compiler = match version(&edge.hash) {
                Some(version) => format!("{}@{version}", edge.name),
                None => owned(&edge.name),
            };
            out.insert((*language).to_owned(), compiler);
        }
    }
    out
}

fn variant(value: &Value<'_>) -> VariantRow {
    match value {
        Value::Bool(on) => VariantRow::Flag(*on),
        Value::Text(text) => VariantRow::One(owned(text)),
        Value::List(items) => VariantRow::Many(all(items)),
    }
}

fn flags(node: &Node<'_>) -> BTreeMap<String, Vec<String>> {
    let set = FLAG_NAMES.iter().filter(|name| !node.flags(name).is_empty());
    set.map(|name| ((*name).to_owned(), all(node.flags(name)))).collect()
}

fn dependencies(node: &Node<'_>) -> Vec<DependencyRow> {
    let row = |edge: &super::node::Dependency<'_>| DependencyRow {
        name: owned(&edge.name),
        hash: owned(&edge.hash),
        types: all(&edge.types),
        virtuals: all(&edge.virtuals),
    };
    node.dependencies.iter().map(row).collect()
}

/// Name, version, compiler, flags, variants and architecture, as Spack prints a node.
pub fn format_node(node: &Node<'_>) -> String {
    let mut out = format!("{}@{}", node.name, node.version);
    if let (true, Some(compiler)) = (node.has_compiler_key(), &node.compiler) {
        out.push_str(&format!("%{}@{}", compiler.name, compiler.version));
    }
    for (name, flags) in flags(node) {
        out.push_str(&format!(" {name}={}", quoted(&flags.join(" "))));
    }
    let mut rest = String::new();
    for (name, value) in node.variants() {
        match value {
            Value::Bool(on) => out.push_str(&format!("{}{name}", if *on { '+' } else { '~' })),
            Value::Text(text) => rest.push_str(&format!(" {name}={}", quoted(text))),
            Value::List(items) => {
                let cut = if &**name == "patches" { 7 } else { usize::MAX };
                let items: Vec<&str> = items.iter().map(|item| item.get(..cut).unwrap_or(item)).collect();
                rest.push_str(&format!(" {name}={}", quoted(&items.join(","))));
            }
        }
    }
    out.push_str(&rest);
    let arch = [&node.arch.platform, &node.arch.os, &node.arch.target];
    if let [Some(platform), Some(os), Some(target)] = arch {
        out.push_str(&format!(" arch={platform}-{os}-{target}"));
    }
    out
}

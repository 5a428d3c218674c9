//! A concrete spec as scripts and `--json` see it: plain, the same for every Spack release.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::database::State;
use super::node::{Dependency, EdgeTypes, Node, Text, Value};
use super::stores::{StoreEntry, Stores};
use crate::base::{Kind, Result};
use crate::spack::spec::FLAG_NAMES;
use crate::spack::spec::print::quoted;
use crate::world::Eyes;

/// The value of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "VariantRow")]
pub enum VariantRow<S> {
    Flag(bool),
    One(S),
    Many(Vec<S>),
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(rename = "ArchRow")]
pub struct ArchRow<S> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<S>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<S>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<S>,
}

/// Whether what Spack noted as the prefix of an external is not there. Without a prefix (an external that modules alone
/// describe) there is nothing to look at; one that is not absolute was written with a variable, which Spack keeps.
pub fn external_is_gone(eyes: &dyn Eyes, prefix: Option<&str>) -> bool {
    let Some(prefix) = prefix.filter(|path| !path.is_empty() && *path != "None").map(Path::new) else {
        return false;
    };
    !prefix.is_absolute() || eyes.stat(prefix).is_err_and(|trouble| trouble.is(Kind::NotFound))
}

/// Where a spec that Spack did not build comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "ExternalRow")]
pub struct ExternalRow<S> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<S>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<S>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DependencyRow")]
pub struct DependencyRow<S> {
    pub name: S,
    pub hash: S,
    /// build, link, run, test.
    #[schemars(with = "Vec<String>")]
    pub types: EdgeTypes,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtuals: Vec<S>,
}

// Text is owned, or borrowed from the file where many rows are only written.
/// A concrete spec and its record.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "SpecRow")]
pub struct Row<S> {
    pub name: S,
    pub version: S,
    pub hash: S,
    /// Where it is, or was, installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<S>,
    pub explicit: bool,
    pub installed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<S>,
    pub arch: ArchRow<S>,
    /// The compiler, as `gcc@12.2.0`; of several, the one for C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compiler: Option<String>,
    /// Language (`c`, `cxx`, `fortran`) and its compiler.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub languages: Languages,
    // Sorted by name.
    #[serde(serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, VariantRow<String>>")]
    pub variants: Vec<(S, VariantRow<S>)>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    pub flags: Vec<(&'static str, Vec<S>)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalRow<S>>,
    pub dependencies: Vec<DependencyRow<S>>,
    /// Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<f64>,
    /// The upstream that holds it, counted from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<S>,
    /// The hash of what replaces it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated_for: Option<S>,
    /// The hash of what it was built as, where it is spliced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_spec: Option<S>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_hash: Option<S>,
    /// Name, version, variants and architecture in Spack's syntax.
    pub spec: String,
}

/// A row that stands on its own.
pub type SpecRow = Row<String>;

/// Language and compiler, sorted.
pub type Languages = Vec<(&'static str, String)>;

fn as_map<S: Serializer, K: Serialize, V: Serialize>(
    pairs: &[(K, V)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

fn text<'t>(text: &'t Text<'_>) -> &'t str {
    text
}

fn all<'t>(texts: &'t [Text<'_>]) -> Vec<&'t str> {
    texts.iter().map(text).collect()
}

impl SpecRow {
    /// A record of a store.
    pub fn of_entry(stores: &Stores<'_>, entry: StoreEntry<'_, '_>) -> Result<SpecRow> {
        Ok(Row::of_installed(stores, entry, &entry.read_node()?).into_owned())
    }

    /// A node that may not be installed, as in a lock file; see [`languages`] for the last argument.
    pub fn of_node(node: &Node<'_>, hash: &str, languages: Languages) -> SpecRow {
        Row::of(node, hash, languages).into_owned()
    }
}

impl<'t> Row<&'t str> {
    /// A record of a store with its node.
    pub fn of_installed(stores: &Stores<'_>, entry: StoreEntry<'t, '_>, node: &'t Node<'_>) -> Self {
        let languages = languages(node, &|hash| Some(stores.get(hash)?.record.version.to_string()));
        let record = entry.record;
        let mut row = Row::of(node, record.hash, languages);
        row.prefix = record.path.as_ref().map(text);
        row.explicit = record.explicit;
        row.installed = record.installed;
        row.state = Some(record.state());
        row.installed_at = record.installed_at;
        row.upstream = (entry.store > 0).then_some(entry.store);
        row.origin = record.origin.as_ref().map(text);
        row.deprecated_for = record.deprecated_for.as_ref().map(text);
        row
    }

    fn of(node: &'t Node<'_>, hash: &'t str, languages: Languages) -> Self {
        let own = node.compiler.as_ref().map(|c| format!("{}@{}", c.name, c.version));
        // Sorted: the one for C comes first.
        let built = languages.first().map(|(_, compiler)| compiler);
        let mut variants: Vec<_> =
            node.variants().map(|(name, value)| (text(name), variant(value))).collect();
        variants.sort_unstable_by_key(|(name, _)| *name);
        Row {
            name: text(&node.name),
            version: text(&node.version),
            hash,
            prefix: None,
            explicit: false,
            installed: false,
            state: None,
            namespace: node.namespace.as_ref().map(text),
            arch: ArchRow {
                platform: node.arch.platform.as_ref().map(text),
                os: node.arch.os.as_ref().map(text),
                target: node.arch.target.as_ref().map(text),
            },
            compiler: own.or_else(|| built.cloned()),
            languages,
            variants,
            flags: flags(node),
            external: node
                .external
                .as_ref()
                .map(|e| ExternalRow { path: e.path.as_ref().map(text), modules: all(&e.modules) }),
            dependencies: dependencies(node),
            installed_at: None,
            upstream: None,
            origin: None,
            deprecated_for: None,
            build_spec: node.build_spec.as_ref().map(text),
            package_hash: node.package_hash.as_ref().map(text),
            spec: format_node(node),
        }
    }

    fn into_owned(self) -> SpecRow {
        Row {
            name: self.name.into(),
            version: self.version.into(),
            hash: self.hash.into(),
            prefix: self.prefix.map(str::to_owned),
            explicit: self.explicit,
            installed: self.installed,
            state: self.state,
            namespace: self.namespace.map(str::to_owned),
            arch: ArchRow {
                platform: self.arch.platform.map(str::to_owned),
                os: self.arch.os.map(str::to_owned),
                target: self.arch.target.map(str::to_owned),
            },
            compiler: self.compiler,
            languages: self.languages,
            variants: self.variants.into_iter().map(|(name, v)| (name.into(), v.into_owned())).collect(),
            flags: self.flags.into_iter().map(|(name, flags)| (name, owned(&flags))).collect(),
            external: self
                .external
                .map(|e| ExternalRow { path: e.path.map(str::to_owned), modules: owned(&e.modules) }),
            dependencies: self.dependencies.into_iter().map(DependencyRow::into_owned).collect(),
            installed_at: self.installed_at,
            upstream: self.upstream,
            origin: self.origin.map(str::to_owned),
            deprecated_for: self.deprecated_for.map(str::to_owned),
            build_spec: self.build_spec.map(str::to_owned),
            package_hash: self.package_hash.map(str::to_owned),
            spec: self.spec,
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

impl VariantRow<&str> {
    fn into_owned(self) -> VariantRow<String> {
        match self {
            VariantRow::Flag(on) => VariantRow::Flag(on),
            VariantRow::One(text) => VariantRow::One(text.to_owned()),
            VariantRow::Many(items) => VariantRow::Many(owned(&items)),
        }
    }
}

impl DependencyRow<&str> {
    fn into_owned(self) -> DependencyRow<String> {
        DependencyRow {
            name: self.name.into(),
            hash: self.hash.into(),
            types: self.types,
            virtuals: owned(&self.virtuals),
        }
    }
}

/// The compilers of a node of Spack 1.x, by language; `version` tells the version of a dependency's hash.
pub fn languages(node: &Node<'_>, version: &dyn Fn(&str) -> Option<String>) -> Languages {
    let mut out = Languages::new();
    for language in ["c", "cxx", "fortran"] {
        // Of several the last counts.
        let mut edges = node.dependencies.iter().rev();
        let Some(edge) = edges.find(|edge| edge.types.has("build") && edge.provides(language)) else {
            continue;
        };
        let compiler = match version(&edge.hash) {
            Some(version) => format!("{}@{version}", edge.name),
            None => edge.name.to_string(),
        };
        out.push((language, compiler));
    }
    out
}

fn variant<'t>(value: &'t Value<'_>) -> VariantRow<&'t str> {
    match value {
        Value::Bool(on) => VariantRow::Flag(*on),
        Value::Text(one) => VariantRow::One(text(one)),
        Value::List(items) => VariantRow::Many(all(items)),
    }
}

/// Only flags that are set, by name, sorted as the names are.
fn flags<'t>(node: &'t Node<'_>) -> Vec<(&'static str, Vec<&'t str>)> {
    let named = FLAG_NAMES.iter().map(|name| (*name, node.flags(name)));
    named.filter(|(_, flags)| !flags.is_empty()).map(|(name, flags)| (name, all(flags))).collect()
}

fn dependencies<'t>(node: &'t Node<'_>) -> Vec<DependencyRow<&'t str>> {
    let row = |edge: &'t Dependency<'_>| DependencyRow {
        name: text(&edge.name),
        hash: text(&edge.hash),
        types: edge.types,
        virtuals: all(&edge.virtuals),
    };
    node.dependencies.iter().map(row).collect()
}

/// Name, version, compiler, flags, variants and architecture, as Spack prints a node.
pub fn format_node(node: &Node<'_>) -> String {
    // Writing to a `String` cannot fail.
    let mut out = String::with_capacity(160);
    let _ = write!(out, "{}@{}", node.name, node.version);
    if let (true, Some(compiler)) = (node.has_compiler_key(), &node.compiler) {
        let _ = write!(out, "%{}@{}", compiler.name, compiler.version);
    }
    for (name, flags) in flags(node) {
        let _ = write!(out, " {name}={}", quoted(&flags.join(" ")));
    }
    let mut rest = String::with_capacity(80);
    for (name, value) in node.variants() {
        match value {
            Value::Bool(on) => {
                out.push(if *on { '+' } else { '~' });
                out.push_str(name);
            }
            Value::Text(text) => {
                let _ = write!(rest, " {name}={}", quoted(text));
            }
            Value::List(items) => {
                let cut = if &**name == "patches" { 7 } else { usize::MAX };
                let items: Vec<&str> = items.iter().map(|item| item.get(..cut).unwrap_or(item)).collect();
                let _ = write!(rest, " {name}={}", quoted(&items.join(",")));
            }
        }
    }
    out.push_str(&rest);
    let arch = [&node.arch.platform, &node.arch.os, &node.arch.target];
    if let [Some(platform), Some(os), Some(target)] = arch {
        let _ = write!(out, " arch={platform}-{os}-{target}");
    }
    out
}

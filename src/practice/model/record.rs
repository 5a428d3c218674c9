//! Concrete nodes and database records as Spack 1.1 writes them: field order matters, because the hash is
//! taken over the text (contract 2.3).

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

pub const FLAGS: [&str; 6] = ["cflags", "cppflags", "cxxflags", "fflags", "ldflags", "ldlibs"];

/// The machine that every practice site pretends to be.
pub const PLATFORM: &str = "linux";
pub const OS: &str = "ubuntu24.04";
pub const TARGET: &str = "x86_64_v3";
pub const FAMILY: &str = "x86_64";
pub const NAMESPACE: &str = "practice";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arch {
    pub platform: String,
    pub platform_os: String,
    pub target: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edge {
    pub name: String,
    pub hash: String,
    pub parameters: EdgeParameters,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeParameters {
    pub deptypes: Vec<String>,
    #[serde(default)]
    pub virtuals: Vec<String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub name: String,
    pub version: String,
    pub arch: Arch,
    pub namespace: String,
    pub parameters: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_hash: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Edge>,
    #[serde(default)]
    pub annotations: Value,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

/// A hash as Spack prints it: base 32, lower case.
pub fn base32(digest: &[u8]) -> String {
    BASE32_NOPAD.encode(digest).to_ascii_lowercase()
}

pub fn sha1_base32(text: &[u8]) -> String {
    base32(&Sha1::digest(text))
}

/// What Spack puts where the recipe's own hash belongs: here a hash of the catalogue's words.
pub fn package_hash(words: &str) -> String {
    use sha2::{Digest as _, Sha256};
    format!("{}====", base32(&Sha256::digest(words.as_bytes())))
}

impl Node {
    pub fn new(name: &str, version: &str, target: &str) -> Node {
        Node {
            name: name.to_owned(),
            version: version.to_owned(),
            arch: Arch {
                platform: PLATFORM.to_owned(),
                platform_os: OS.to_owned(),
                target: Value::from(target),
            },
            namespace: NAMESPACE.to_owned(),
            parameters: Map::new(),
            external: None,
            package_hash: Some(package_hash(&format!("{name}@{version}"))),
            dependencies: Vec::new(),
            annotations: json!({"original_specfile_version": 5}),
            hash: String::new(),
        }
    }

    /// Computes and sets the hash; the dependencies must have theirs.
    pub fn seal(&mut self) {
        self.hash.clear();
        self.dependencies.sort_by(|a, b| a.name.cmp(&b.name));
        let text = serde_json::to_string(self).unwrap_or_default();
        self.hash = sha1_base32(text.as_bytes());
    }

    pub fn short(&self) -> &str {
        self.hash.get(..7).unwrap_or(&self.hash)
    }

    /// `name-version-hash`, the name in messages, stages and prefixes.
    pub fn long_name(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.hash)
    }

    pub fn target(&self) -> &str {
        self.arch.target.as_str().or_else(|| self.arch.target.get("name")?.as_str()).unwrap_or("unknown")
    }

    pub fn arch_text(&self) -> String {
        format!("{}-{}-{}", self.arch.platform, self.arch.platform_os, self.target())
    }

    pub fn external_path(&self) -> Option<&str> {
        self.external.as_ref()?.get("path")?.as_str()
    }

    /// Dependencies with one of the types.
    pub fn edges<'a>(&'a self, types: &'a [&str]) -> impl Iterator<Item = &'a Edge> {
        self.dependencies.iter().filter(|e| e.parameters.deptypes.iter().any(|t| types.contains(&t.as_str())))
    }
}

/// Nodes by hash.
pub type Nodes = BTreeMap<String, Node>;

/// The hashes that are reached from `roots` over the types of edges, roots included.
pub fn closure(nodes: &Nodes, roots: impl IntoIterator<Item = String>, types: &[&str]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut rest: Vec<String> = roots.into_iter().collect();
    while let Some(hash) = rest.pop() {
        if seen.insert(hash.clone())
            && let Some(node) = nodes.get(&hash)
        {
            rest.extend(node.edges(types).map(|e| e.hash.clone()));
        }
    }
    seen
}

pub const ALL_TYPES: &[&str] = &["build", "link", "run", "test"];

/// Dependencies before dependents.
pub fn build_order(nodes: &Nodes, roots: &[String]) -> Vec<String> {
    fn visit(nodes: &Nodes, hash: &str, seen: &mut BTreeSet<String>, order: &mut Vec<String>) {
        if !seen.insert(hash.to_owned()) {
            return;
        }
        if let Some(node) = nodes.get(hash) {
            for edge in &node.dependencies {
                visit(nodes, &edge.hash, seen, order);
            }
        }
        order.push(hash.to_owned());
    }
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    for root in roots {
        visit(nodes, root, &mut seen, &mut order);
    }
    order
}

/// The stand-alone form of a spec: the root, then everything below it.
pub fn spec_file(nodes: &Nodes, root: &str) -> Value {
    let mut order = build_order(nodes, &[root.to_owned()]);
    order.reverse();
    let list: Vec<&Node> = order.iter().filter_map(|h| nodes.get(h)).collect();
    json!({"spec": {"_meta": {"version": 5}, "nodes": list}})
}

/// A row of the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub spec: Node,
    #[serde(default)]
    pub ref_count: u64,
    pub path: Option<String>,
    pub installed: bool,
    pub explicit: bool,
    pub installation_time: f64,
    pub deprecated_for: Option<String>,
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// The spec, then what it links and runs, depth first.
pub fn preorder(nodes: &Nodes, root: &str) -> Vec<String> {
    let (mut seen, mut rest) = (Vec::new(), vec![root.to_owned()]);
    while let Some(hash) = rest.pop() {
        if seen.contains(&hash) {
            continue;
        }
        if let Some(node) = nodes.get(&hash) {
            let below: Vec<String> = node.edges(&["link", "run"]).map(|e| e.hash.clone()).collect();
            rest.extend(below.into_iter().rev());
        }
        seen.push(hash);
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_hash_is_computed_again() {
        let recorded = r#"{"name":"ctrun","version":"1.0","arch":{"platform":"linux","platform_os":"debian12","target":"x86_64_v4"},"namespace":"ct","parameters":{"build_system":"generic","cflags":[],"cppflags":[],"cxxflags":[],"fflags":[],"ldflags":[],"ldlibs":[]},"package_hash":"7ytsnhmvl6j3qspckikhgypo33gyuz23ej6r3ovghmznihky4c5a====","annotations":{"original_specfile_version":5},"hash":"gwnt2rddilyzns6ohfmr7tcxz7caw6ys"}"#;
        let mut node: Node = serde_json::from_str(recorded).unwrap();
        assert_eq!(serde_json::to_string(&node).unwrap(), recorded);
        node.seal();
        assert_eq!(node.hash, "gwnt2rddilyzns6ohfmr7tcxz7caw6ys");
    }
}

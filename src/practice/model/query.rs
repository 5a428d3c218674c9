//! Which concrete nodes a spec on the command line means. The words are parsed by the reader that moonstack
//! itself uses; the matching is practice's own, so that a fault in one shows against the other.

use super::halt::Halt;
use super::record::{ALL_TYPES, Node, Nodes, closure};
use crate::spack::spec::version::VersionList;
use crate::spack::spec::{Dialect, Edge, Spec, Variant, VariantValue};

/// Reads the specs of a command line, in Spack's words for what does not parse.
pub fn parse(words: &[String]) -> Result<Vec<Spec>, Halt> {
    let text = words.join(" ");
    Spec::parse_all(&text, Dialect::Direct).map_err(|_| {
        let bad = text.find("@@").map_or(text.len(), |at| at + 1);
        let marks = "^".repeat(text.len().saturating_sub(bad).max(1));
        Halt::internal(format!(
            "unexpected characters in the spec string\n{text}\n{}{marks}",
            " ".repeat(bad.min(text.len()))
        ))
    })
}

/// Reads a spec that may not parse, as one of several strings of a file.
pub fn parse_one(text: &str) -> Result<Spec, Halt> {
    Spec::parse(text, Dialect::Direct).map_err(|t| Halt::failed(t.message()))
}

pub fn version_fits(version: &str, wanted: &VersionList) -> bool {
    VersionList::concrete(version, Dialect::Direct).is_ok_and(|v| v.satisfies(wanted))
}

/// Whether a concrete value is what the query wants.
pub fn variant_fits(value: Option<&serde_json::Value>, wanted: &Variant) -> bool {
    use serde_json::Value;
    match (value, &wanted.value) {
        (Some(_), VariantValue::Any) => true,
        (Some(Value::Bool(is)), VariantValue::Bool(on)) => is == on,
        (Some(Value::String(is)), VariantValue::Text(words)) => words.len() == 1 && words[0] == *is,
        (Some(Value::String(is)), VariantValue::Bool(on)) => *is == on.to_string(),
        (Some(Value::Array(list)), VariantValue::Text(words)) => {
            let has = |word: &String| list.iter().any(|v| v.as_str() == Some(word));
            words.iter().all(has) && (!wanted.exact || list.len() == words.len())
        }
        _ => false,
    }
}

fn names(node: &Node, virtuals: &[String], wanted: &str) -> bool {
    node.name == wanted || virtuals.iter().any(|v| v == wanted)
}

/// Whether the node itself, apart from its dependencies, is what the query says.
fn fits_alone(node: &Node, virtuals: &[String], spec: &Spec) -> bool {
    spec.name.as_ref().is_none_or(|n| names(node, virtuals, n))
        && spec.hash.as_ref().is_none_or(|h| node.hash.starts_with(h.as_str()))
        && spec.namespace.as_ref().is_none_or(|n| node.namespace == *n)
        && version_fits(&node.version, &spec.versions)
        && spec.variants.iter().all(|(name, wanted)| variant_fits(node.parameters.get(name), wanted))
        && spec.flags.iter().all(|(name, flags)| {
            let set = node.parameters.get(name).and_then(|v| v.as_array());
            flags.iter().all(|f| set.is_some_and(|s| s.iter().any(|v| v.as_str() == Some(&f.text))))
        })
        && spec.platform.as_ref().is_none_or(|p| node.arch.platform == *p)
        && spec.os.as_ref().is_none_or(|o| node.arch.platform_os == *o)
        && spec.target.as_ref().is_none_or(|t| node.target() == t)
}

fn dependency_fits(node: &Node, edge: &Edge, nodes: &Nodes) -> bool {
    let own = |virtuals: &[String]| edge.virtuals.iter().all(|v| virtuals.contains(v));
    if edge.direct {
        return node.dependencies.iter().any(|e| {
            own(&e.parameters.virtuals)
                && nodes.get(&e.hash).is_some_and(|n| fits(n, &e.parameters.virtuals, &edge.spec, nodes))
        });
    }
    closure(nodes, [node.hash.clone()], ALL_TYPES).iter().filter_map(|h| nodes.get(h)).any(|parent| {
        parent.dependencies.iter().any(|e| {
            own(&e.parameters.virtuals)
                && nodes.get(&e.hash).is_some_and(|n| fits(n, &e.parameters.virtuals, &edge.spec, nodes))
        })
    })
}

fn fits(node: &Node, virtuals: &[String], spec: &Spec, nodes: &Nodes) -> bool {
    fits_alone(node, virtuals, spec) && spec.dependencies.iter().all(|e| dependency_fits(node, e, nodes))
}

/// Whether the concrete node satisfies the query. A query may name a virtual that the node was used for.
pub fn matches(node: &Node, spec: &Spec, nodes: &Nodes) -> bool {
    let virtuals: Vec<String> = match &spec.name {
        Some(name) if *name != node.name => nodes
            .values()
            .flat_map(|n| &n.dependencies)
            .filter(|e| e.hash == node.hash)
            .flat_map(|e| e.parameters.virtuals.clone())
            .collect(),
        _ => Vec::new(),
    };
    fits(node, &virtuals, spec, nodes)
}

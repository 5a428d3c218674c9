//! What differs between a spec and what took its place, but for its dependencies.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::rows::{ArchDiff, CompilerDiff, ExternalDiff, FlagsDiff, PatchesDiff, ValueDiff, VariantDiff};
use super::side::{LANGUAGES, Side, compiler_edge};
use crate::base::Result;
use crate::spack::spec::FLAG_NAMES;
use crate::spack::store::node::{Node, Text, Value};
use crate::spack::store::row::{ExternalRow, VariantRow};

/// Written as a variant, and told apart from them.
const PATCHES: &str = "patches";

fn owned(text: Option<&Text<'_>>) -> Option<String> {
    text.map(ToString::to_string)
}

fn list(texts: &[Text<'_>]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// What both have, and not the same.
pub fn both_have(from: Option<&Text<'_>>, to: Option<&Text<'_>>) -> Option<ValueDiff> {
    let differs = from.zip(to).is_some_and(|(from, to)| from != to);
    differs.then(|| ValueDiff { from: owned(from), to: owned(to) })
}

/// What one of them lacks, too.
pub fn any_has(from: Option<&Text<'_>>, to: Option<&Text<'_>>) -> Option<ValueDiff> {
    (from != to).then(|| ValueDiff { from: owned(from), to: owned(to) })
}

pub fn variants(from: &Node<'_>, to: &Node<'_>) -> Vec<VariantDiff> {
    let mut out = Vec::new();
    for (name, value) in from.variants().filter(|(name, _)| &**name != PATCHES) {
        let other = to.variant(name);
        if other.is_none_or(|other| !alike(value, other)) {
            out.push(VariantDiff {
                name: name.to_string(),
                from: Some(variant(value)),
                to: other.map(variant),
            });
        }
    }
    for (name, value) in to.variants().filter(|(name, _)| &**name != PATCHES) {
        if from.variant(name).is_none() {
            out.push(VariantDiff { name: name.to_string(), from: None, to: Some(variant(value)) });
        }
    }
    out.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    out
}

/// A list says the same in any order, and one of it what the bare value does.
fn alike(one: &Value<'_>, other: &Value<'_>) -> bool {
    fn members<'v, 'a>(value: &'v Value<'a>) -> Option<Cow<'v, [Text<'a>]>> {
        match value {
            Value::Bool(_) => None,
            Value::Text(text) => Some(Cow::Borrowed(std::slice::from_ref(text))),
            Value::List(items) if items.is_sorted() => Some(Cow::Borrowed(items)),
            Value::List(items) => {
                let mut items = items.clone();
                items.sort_unstable();
                Some(Cow::Owned(items))
            }
        }
    }
    one == other || members(one).zip(members(other)).is_some_and(|(one, other)| one == other)
}

fn variant(value: &Value<'_>) -> VariantRow<String> {
    match value {
        Value::Bool(on) => VariantRow::Flag(*on),
        Value::Text(text) => VariantRow::One(text.to_string()),
        Value::List(items) => VariantRow::Many(list(items)),
    }
}

pub fn flags(from: &Node<'_>, to: &Node<'_>) -> Vec<FlagsDiff> {
    let differ = FLAG_NAMES.iter().filter(|name| from.flags(name) != to.flags(name));
    differ
        .map(|name| FlagsDiff {
            name: (*name).to_owned(),
            from: list(from.flags(name)),
            to: list(to.flags(name)),
        })
        .collect()
}

pub fn arch(from: &Node<'_>, to: &Node<'_>) -> Vec<ArchDiff> {
    let (a, b) = (&from.arch, &to.arch);
    let parts =
        [("platform", &a.platform, &b.platform), ("os", &a.os, &b.os), ("target", &a.target, &b.target)];
    let differ = parts.into_iter().filter(|(_, from, to)| from != to);
    differ
        .map(|(name, from, to)| ArchDiff {
            name: name.to_owned(),
            from: owned(from.as_ref()),
            to: owned(to.as_ref()),
        })
        .collect()
}

/// Compilers by language. Before Spack 1.0 every node has one for all languages, whether or not it needs it: where only
/// one side is of that kind, only languages that the other side compiles are compared.
pub fn compilers(
    before: &Side<'_, '_>,
    after: &Side<'_, '_>,
    from: &Node<'_>,
    to: &Node<'_>,
) -> Result<Vec<CompilerDiff>> {
    let (old, new) = (key(from), key(to));
    let mut out = Vec::new();
    if old.is_some() && new.is_some() {
        if old != new {
            out.push(CompilerDiff { language: None, from: old, to: new });
        }
        return Ok(out);
    }
    for language in LANGUAGES {
        let (a, b) = (compiler_edge(from, language), compiler_edge(to, language));
        if a.zip(b).is_some_and(|(a, b)| a.hash == b.hash) || (a.is_none() && b.is_none()) {
            continue;
        }
        let was = if old.is_some() { old.clone() } else { before.compiler(from, language)? };
        let is = if new.is_some() { new.clone() } else { after.compiler(to, language)? };
        if was != is {
            out.push(CompilerDiff { language: Some(language.to_owned()), from: was, to: is });
        }
    }
    Ok(out)
}

fn key(node: &Node<'_>) -> Option<String> {
    let compiler = node.compiler.as_ref().filter(|_| node.has_compiler_key())?;
    Some(format!("{}@{}", compiler.name, compiler.version))
}

pub fn external(from: &Node<'_>, to: &Node<'_>) -> Option<ExternalDiff> {
    if from.external.is_none() && to.external.is_none() {
        return None;
    }
    let row = |node: &Node<'_>| {
        let external = node.external.as_ref()?;
        Some(ExternalRow { path: owned(external.path.as_ref()), modules: list(&external.modules) })
    };
    let (from, to) = (row(from), row(to));
    (from != to).then_some(ExternalDiff { from, to })
}

pub fn patches(from: &Node<'_>, to: &Node<'_>) -> Option<PatchesDiff> {
    fn of<'n>(node: &'n Node<'_>) -> BTreeSet<&'n str> {
        let named = match node.variant(PATCHES) {
            Some(Value::List(items)) => items.as_slice(),
            Some(Value::Text(item)) => std::slice::from_ref(item),
            _ => &[],
        };
        node.patches.iter().chain(named).map(|patch| &**patch).collect()
    }
    let (from, to) = (of(from), of(to));
    let only = |one: &BTreeSet<&str>, other: &BTreeSet<&str>| {
        one.difference(other).map(|patch| (*patch).to_owned()).collect::<Vec<_>>()
    };
    (from != to).then(|| PatchesDiff { added: only(&to, &from), removed: only(&from, &to) })
}

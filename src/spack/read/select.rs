//! What a changing operation is about: the specs that a query means, and everything that stands on them.

use std::collections::{BTreeMap, BTreeSet};

use super::find::query;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::store::database::State;
use crate::spack::store::row::SpecRow;
use crate::spack::store::stores::{StoreEntry, Stores};

/// One spec, or with `all` any number, never none; only of the store that can be written.
pub fn chosen(cx: &Cx, scope: &Scope, text: &str, all: bool, states: &[State]) -> Result<Vec<SpecRow>> {
    if text.trim().is_empty() {
        return Err(Trouble::usage("the query is empty").hint("name a spec: \"zlib@1.3\", \"/abcdef\""));
    }
    let mut query = query(cx, scope, text)?;
    query.states = states.to_vec();
    scope.with_stores(cx, |stores, recipes| {
        let found = if all {
            query.run(stores, Some(recipes))?
        } else {
            vec![query.one(stores, Some(recipes)).map_err(|t| {
                if t.is(Kind::Ambiguous) { t.hint("or say { all = true } to mean all of them") } else { t }
            })?]
        };
        let local: Vec<StoreEntry<'_, '_>> = found.iter().copied().filter(|e| e.store == 0).collect();
        match (local.is_empty(), found.first()) {
            (true, Some(_)) => Err(Trouble::new(
                Kind::Refused,
                format!("'{text}' is only in an upstream store, which is not changed from here"),
            )),
            (true, None) => Err(Trouble::new(Kind::NotFound, format!("no installed spec matches '{text}'"))
                .fact("query", text)),
            _ => local.into_iter().map(|e| SpecRow::of_entry(stores, e)).collect(),
        }
    })
}

/// The installed specs that need one of these at run time, directly or through others; without these. What needs a
/// deprecated spec needs the one that stands in for it.
pub fn dependents(stores: &Stores<'_>, of: &BTreeSet<String>) -> Result<Vec<SpecRow>> {
    let mut above: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in stores.entries().filter(|e| !e.record.installed) {
        if let Some(other) = &entry.record.deprecated_for {
            above.entry(other.to_string()).or_default().push(entry.record.hash.to_owned());
        }
    }
    for entry in stores.entries().filter(|e| e.record.installed) {
        for edge in &entry.node()?.dependencies {
            if edge.has_type("link") || edge.has_type("run") {
                above.entry(edge.hash.to_string()).or_default().push(entry.record.hash.to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    let mut queue: Vec<&str> = of.iter().map(String::as_str).collect();
    while let Some(hash) = queue.pop() {
        for parent in above.get(hash).into_iter().flatten() {
            if !of.contains(parent) && found.insert(parent.as_str()) {
                queue.push(parent);
            }
        }
    }
    let entries = found.into_iter().filter_map(|hash| stores.get(hash));
    entries.map(|entry| SpecRow::of_entry(stores, entry)).collect()
}

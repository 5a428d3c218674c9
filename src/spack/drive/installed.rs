//! What is on record as installed, owned and small: what an operation compares before and after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::session::Scope;
use crate::base::Result;
use crate::site::Cx;
use crate::spack::store::row::SpecRow;
use crate::spack::store::stores::Stores;
use crate::world::Eyes;

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    pub name: String,
    pub version: String,
    pub prefix: Option<String>,
    pub installed: bool,
    pub explicit: bool,
    pub installed_at: Option<f64>,
    /// It is in the store that is written to.
    pub local: bool,
    /// What stands in for it since it was deprecated, by hash.
    pub deprecated_for: Option<String>,
}

impl Held {
    /// On record, and its prefix is seen there.
    pub fn exists(&self, eyes: &dyn Eyes) -> bool {
        let is_there = |prefix: &str| eyes.exists(Path::new(prefix)).unwrap_or(false);
        self.installed && self.prefix.as_deref().is_none_or(is_there)
    }
}

/// All records by hash.
pub type Store = BTreeMap<String, Held>;

pub fn of(stores: &Stores<'_>) -> Store {
    stores
        .entries()
        .map(|entry| {
            let record = entry.record;
            let held = Held {
                name: record.name.to_string(),
                version: record.version.to_string(),
                prefix: record.path.as_ref().map(ToString::to_string),
                installed: record.installed,
                explicit: record.explicit,
                installed_at: record.installed_at,
                local: entry.store == 0,
                deprecated_for: record.deprecated_for.as_ref().map(ToString::to_string),
            };
            (record.hash.to_owned(), held)
        })
        .collect()
}

pub fn read(cx: &Cx, scope: &Scope) -> Result<Store> {
    scope.with_stores(cx, |stores, _| Ok(of(stores)))
}

/// The same, off the script thread.
pub async fn now(cx: &Cx, scope: &Scope) -> Result<Store> {
    let scope = scope.clone();
    cx.blocking(move |cx| read(&cx, &scope)).await
}

/// A spec as results and errors name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Named {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

impl Named {
    pub fn of(row: &SpecRow) -> Named {
        Named {
            name: row.name.clone(),
            version: Some(row.version.clone()),
            hash: row.hash.clone(),
            prefix: row.prefix.clone(),
        }
    }
}

/// The hashes reachable through link and run dependencies, the start included.
pub fn closure(
    specs: &BTreeMap<String, SpecRow>,
    from: impl IntoIterator<Item = String>,
) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut queue: Vec<String> = from.into_iter().collect();
    while let Some(hash) = queue.pop() {
        let Some(row) = specs.get(&hash) else { continue };
        if seen.insert(hash) {
            let needed = row.dependencies.iter().filter(|d| d.types.has("link") || d.types.has("run"));
            queue.extend(needed.map(|d| d.hash.clone()));
        }
    }
    seen
}

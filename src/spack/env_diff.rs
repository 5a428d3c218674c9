//! What changed between two locks, or between a lock and the store.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::env_look::needs_lock;
use super::environment;
use super::lockfile::{Lockfile, LockfileText};
use super::session::{Scope, within};
use crate::base::Result;
use crate::site::Cx;

/// Compares two locks, or a lock with what is installed of it.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DiffArgs {
    /// Name of an environment, or path of a lock file: what was.
    pub from: String,
    /// The same: what is. Left out, the store: what of the lock is installed.
    pub to: Option<String>,
}

/// One difference.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DiffRow {
    /// Name of the package.
    pub name: String,
    /// `added`, `removed` or `changed`.
    pub change: Change,
    /// The specs before.
    pub from: Vec<String>,
    /// The specs after.
    pub to: Vec<String>,
}

/// What happened to a package between two locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
    Changed,
}

pub async fn diff(cx: Cx, args: DiffArgs) -> Result<Vec<DiffRow>> {
    within(&cx, None, move |cx, scope| {
        let from = lock_named(cx, scope, &args.from)?;
        let before = by_name(&from.parse()?)?;
        let after = if let Some(to) = &args.to {
            by_name(&lock_named(cx, scope, to)?.parse()?)?
        } else {
            let lock = from.parse()?;
            scope.with_stores(cx, |stores, _| {
                let mut installed = by_name(&lock)?;
                for hashes in installed.values_mut() {
                    hashes.retain(|hash, _| stores.get(hash).is_some_and(|e| e.record.installed));
                }
                installed.retain(|_, hashes| !hashes.is_empty());
                Ok(installed)
            })?
        };
        Ok(differences(&before, &after))
    })
    .await
}

fn lock_named(cx: &Cx, scope: &Scope, name: &str) -> Result<LockfileText> {
    let path = std::path::Path::new(name);
    if cx.world.eyes.is_file(path) {
        return LockfileText::read(&*cx.world.eyes, path);
    }
    let environment = environment::find(&*cx.world.eyes, &scope.config, name)?;
    needs_lock(LockfileText::of(cx, &environment)?, &environment)
}

/// Package → hash → spec in words.
pub type ByName = BTreeMap<String, BTreeMap<String, String>>;

pub fn by_name(lock: &Lockfile<'_>) -> Result<ByName> {
    let mut out = ByName::new();
    for locked in lock.all_specs() {
        let node = lock.node(locked)?;
        let words = format!("{} /{}", super::row::format_node(node), super::query::short(&locked.hash));
        out.entry(node.name.to_string()).or_default().insert(locked.hash.to_string(), words);
    }
    Ok(out)
}

pub fn differences(before: &ByName, after: &ByName) -> Vec<DiffRow> {
    let none = BTreeMap::new();
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let (old, new) = (before.get(name).unwrap_or(&none), after.get(name).unwrap_or(&none));
            let only = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
                a.iter().filter(|(h, _)| !b.contains_key(*h)).map(|(_, w)| w.clone()).collect::<Vec<_>>()
            };
            let (from, to) = (only(old, new), only(new, old));
            let change = match (from.is_empty(), to.is_empty()) {
                (true, true) => return None,
                (true, false) => Change::Added,
                (false, true) => Change::Removed,
                (false, false) => Change::Changed,
            };
            Some(DiffRow { name: name.clone(), change, from, to })
        })
        .collect()
}

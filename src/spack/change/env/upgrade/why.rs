//! Why each package of an upgrade changes, and who stays on what was replaced.

use std::collections::{BTreeMap, BTreeSet};

use super::args::Stays;
use super::unlock::dependents;
use crate::spack::lock::contents::LockContents;
use crate::spack::lock::diff::rows::{Change, PackageDiff};
use crate::spack::spec::version::list::VersionList;
use crate::spack::spec::{Dialect, Spec};
use crate::spack::store::row::SpecRow;

/// Says of each change why it is: `asked`, `depends on …`, `required by …`, `no longer needed`, `chosen by the solver`.
pub fn explain(
    changes: &mut [PackageDiff],
    asked: &BTreeSet<&str>,
    before: &LockContents,
    after: &LockContents,
) {
    let mut above: BTreeMap<&str, &str> = BTreeMap::new();
    for row in after.specs.values() {
        let is_new = !before.specs.contains_key(&row.hash);
        for dependency in &row.dependencies {
            // What is new itself is the better reason.
            if is_new || !above.contains_key(dependency.hash.as_str()) {
                above.insert(&dependency.hash, &row.name);
            }
        }
    }
    let over: BTreeMap<&str, BTreeSet<String>> =
        asked.iter().map(|name| (*name, dependents(after, &BTreeSet::from([*name])))).collect();
    for change in changes {
        let hash = change.to_hash.as_deref().unwrap_or_default();
        let on = over.iter().find(|(_, hashes)| hashes.contains(hash)).map(|(name, _)| *name);
        change.why = Some(if asked.contains(change.name.as_str()) {
            "asked".to_owned()
        } else if change.change == Change::Removed {
            "no longer needed".to_owned()
        } else if let Some(name) = on {
            format!("depends on {name}")
        } else if let Some(name) = above.get(hash).filter(|_| change.change == Change::Added) {
            format!("required by {name}")
        } else {
            "chosen by the solver".to_owned()
        });
    }
}

/// Who needs, to link or run, what an asked package was before and is not asked to be.
pub fn staying(
    asked: &BTreeMap<String, Spec>,
    before: &LockContents,
    after: &LockContents,
    dialect: Dialect,
) -> Vec<Stays> {
    let serves = |row: &SpecRow| {
        let version = VersionList::concrete(&row.version, dialect);
        asked.get(&row.name).is_some_and(|spec| {
            !spec.versions.is_any()
                && version.is_ok_and(|own| own.satisfies(&spec.versions))
                && spec.variants.is_empty()
        })
    };
    let is_replaced = |hash: &str| {
        after.specs.get(hash).filter(|row| {
            let newer = |other: &&SpecRow| other.name == row.name && !before.specs.contains_key(&other.hash);
            asked.contains_key(&row.name)
                && !serves(row)
                && before.specs.contains_key(hash)
                && after.specs.values().any(|o| newer(&o))
        })
    };
    let mut out = BTreeSet::new();
    for row in after.specs.values().filter(|row| before.specs.contains_key(&row.hash)) {
        for dependency in row.dependencies.iter().filter(|d| d.types.has("link") || d.types.has("run")) {
            if let Some(old) = is_replaced(&dependency.hash) {
                out.insert(Stays {
                    name: format!("{}@{}", row.name, row.version),
                    hash: row.hash.clone(),
                    on: format!("{}@{}", old.name, old.version),
                });
            }
        }
    }
    out.into_iter().collect()
}

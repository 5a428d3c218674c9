//! The database against itself: dependencies that no record has or that are not installed, reference counts,
//! recomputed hashes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use super::super::finding::{Finding, some};
use crate::base::Result;
use crate::spack::store::database::{Database, Record};
use crate::spack::store::query::short;
use crate::spack::text::hash::Verdict;
use crate::world::Eyes;

/// `unreachable` are the names of upstreams whose records are not known.
pub fn judge<'d>(
    eyes: &dyn Eyes,
    database: &Database<'d>,
    upstreams: &[Database<'d>],
    unreachable: &[String],
) -> Result<Vec<Finding>> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let mut dangling = Vec::new();
    for record in database.records() {
        let node = database.node(record)?;
        let children: BTreeSet<&str> = node.dependencies.iter().map(|edge| &*edge.hash).collect();
        for child in children {
            let known = database.get(child).is_some() || upstreams.iter().any(|up| up.get(child).is_some());
            if !known {
                let edge = node.dependencies.iter().find(|edge| &*edge.hash == child);
                let name = edge.map_or("", |edge| &*edge.name);
                dangling.push(format!("{name}/{} (of {})", short(child), label(record)));
            }
            *counts.entry(child).or_default() += 1;
        }
        if let Some(replacement) = record.deprecated_for.as_deref() {
            *counts.entry(replacement).or_default() += 1;
        }
    }
    let mut out = Vec::new();
    if !dangling.is_empty() && !unreachable.is_empty() {
        let message = format!(
            "dependencies that only upstream {} may have: {}",
            unreachable.join(", "),
            some(&dangling)
        );
        out.push(
            Finding::warn(message)
                .about("dependencies")
                .measure(dangling.len() as f64, "specs")
                .fix("what needs them does not run while the upstream is away; look again once it is back"),
        );
    } else if !dangling.is_empty() {
        let message = format!("dependencies without a record: {}", some(&dangling));
        out.push(
            Finding::fail(message)
                .about("dependencies")
                .measure(dangling.len() as f64, "specs")
                .fix("spack reindex builds the database again; remove prefixes of interrupted builds first"),
        );
    }
    out.extend(uninstalled(eyes, database, upstreams)?);
    out.extend(reference_counts(database, &counts));
    out.extend(hashes(database));
    Ok(out)
}

/// What was uninstalled by force, here or upstream, although something that is installed loads it.
fn uninstalled<'d>(
    eyes: &dyn Eyes,
    database: &Database<'d>,
    upstreams: &[Database<'d>],
) -> Result<Option<Finding>> {
    let all: Vec<&Database<'d>> = std::iter::once(database).chain(upstreams).collect();
    let records = |hash: &str| all.iter().filter_map(|one| one.get(hash)).collect::<Vec<_>>();
    let is_there = |hash: &str| records(hash).iter().any(|record| record.installed);
    // A deprecated prefix is a link to that of its replacement.
    let stands_in = |hash: &str| {
        records(hash).iter().any(|record| {
            let link =
                record.path.as_deref().is_some_and(|path| eyes.is_folder(Path::new(path)).unwrap_or(true));
            link && record.deprecated_for.as_deref().is_some_and(&is_there)
        })
    };
    let mut needed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (at, one) in all.iter().enumerate() {
        for record in one.records().iter().filter(|record| record.installed) {
            let edges = &one.node(record)?.dependencies;
            for edge in edges.iter().filter(|edge| edge.has_type("link") || edge.has_type("run")) {
                let known = records(&edge.hash);
                let Some(first) = known.first() else { continue };
                if !is_there(&edge.hash) && !stands_in(&edge.hash) {
                    let by = if at == 0 { label(record) } else { format!("{} upstream", label(record)) };
                    needed.entry(label(first)).or_default().push(by);
                }
            }
        }
    }
    let words: Vec<String> =
        needed.iter().map(|(gone, by)| format!("{gone} (needed by {})", some(by))).collect();
    Ok((!words.is_empty()).then(|| {
        Finding::fail(format!("not installed, but needed: {}", some(&words)))
            .about("uninstalled")
            .measure(words.len() as f64, "specs")
            .fix("install what is gone again (spack install /HASH, or restore a snapshot), or uninstall what needs it")
    }))
}

fn reference_counts(database: &Database<'_>, counts: &HashMap<&str, u64>) -> Option<Finding> {
    let wrong: Vec<String> = database
        .records()
        .iter()
        .filter_map(|record| {
            let counted = counts.get(record.hash).copied().unwrap_or(0);
            (counted != record.ref_count)
                .then(|| format!("{} ({} recorded, {counted} counted)", label(record), record.ref_count))
        })
        .collect();
    (!wrong.is_empty()).then(|| {
        Finding::fail(format!("wrong reference counts: {}", some(&wrong)))
            .about("reference counts")
            .measure(wrong.len() as f64, "specs")
            .fix("spack reindex counts again; remove prefixes of interrupted builds first")
    })
}

fn hashes(database: &Database<'_>) -> Option<Finding> {
    let wrong: Vec<String> = database
        .records()
        .iter()
        .filter(|record| matches!(record.verify(), Verdict::Mismatch { .. }))
        .map(label)
        .collect();
    (!wrong.is_empty()).then(|| {
        Finding::fail(format!("records that do not have the hash they are kept under: {}", some(&wrong)))
            .about("hashes")
            .measure(wrong.len() as f64, "specs")
            .fix("the database was altered: restore index.json from a backup, or spack reindex")
    })
}

/// `hdf5/abcdefg`.
pub fn label(record: &Record<'_>) -> String {
    format!("{}/{}", record.name, short(record.hash))
}

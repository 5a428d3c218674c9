//! The database against itself: dependencies that no record has, reference counts, recomputed hashes.

use std::collections::{BTreeSet, HashMap};

use super::super::finding::{Finding, some};
use crate::base::Result;
use crate::spack::store::database::{Database, Record};
use crate::spack::store::query::short;
use crate::spack::text::hash::Verdict;

/// `unreachable` are the names of upstreams whose records are not known.
pub fn judge(
    database: &Database<'_>,
    upstreams: &[Database<'_>],
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
    out.extend(reference_counts(database, &counts));
    out.extend(hashes(database));
    Ok(out)
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

//! Compares two locks, of any versions and sites: what is asked for, and package by package what it became. Only
//! nodes that differ are read, both sides at once. Why something changed is not known here.
//!
//! ```text
//! properties → mod → { aspects, edges, pairs, words } → { rows, side }
//! ```

mod aspects;
mod edges;
mod pairs;
#[cfg(test)]
mod properties;
pub mod rows;
mod side;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

use super::lockfile::{Lockfile, LockfileText};
use crate::base::Result;
use crate::base::parallel::both;
use pairs::Pair;
use rows::{Change, DiffSummary, LockDiff, PackageDiff, RootDiff, RootsDiff};
use side::{Side, Spec};

/// Compares two lock files.
pub fn of_texts(before: &LockfileText, after: &LockfileText) -> Result<LockDiff> {
    // One after the other: the second is passed over in a fraction of the time that the first takes.
    let before = before.parse_outside()?;
    let after = after.parse_beside(&before)?;
    of_locks(&before, &after)
}

/// Compares two locks.
pub fn of_locks(before: &Lockfile<'_>, after: &Lockfile<'_>) -> Result<LockDiff> {
    let (before, after) = both(|| Side::whole(before), || Side::whole(after));
    compare(&before, &after)
}

/// Compares a lock with what `keep` leaves of it, by hash.
pub fn of_part(lock: &Lockfile<'_>, keep: impl Fn(&str) -> bool) -> Result<LockDiff> {
    compare(&Side::whole(lock), &Side::part(lock, keep))
}

/// Everything of a lock as new: what there is where there was none.
pub fn of_new(lock: &Lockfile<'_>) -> Result<LockDiff> {
    compare(&Side::part(lock, |_| false), &Side::whole(lock))
}

fn compare(before: &Side<'_, '_>, after: &Side<'_, '_>) -> Result<LockDiff> {
    let (gone, new) = both(|| before.only(after), || after.only(before));
    let (gone, new) = (gone?, new?);
    let same = before.len().saturating_sub(gone.len());
    let pairs = pairs::pairs(before, after, gone, new)?;
    let rows = |pairs: &[Pair<'_>]| -> Result<Vec<PackageDiff>> {
        pairs.iter().map(|pair| package(before, after, pair)).collect()
    };
    let (first, second) = pairs.split_at(pairs.len() / 2);
    let (first, second) = both(|| rows(first), || rows(second));
    let (mut packages, second) = (first?, second?);
    packages.extend(second);
    let mut summary = DiffSummary { same, ..DiffSummary::default() };
    for package in &packages {
        match package.change {
            Change::Added => summary.added += 1,
            Change::Removed => summary.removed += 1,
            Change::Changed => summary.changed += 1,
        }
        summary.only_hash += usize::from(package.only_hash);
        summary.build_only += usize::from(package.build_only);
    }
    Ok(LockDiff { roots: roots(before, after)?, packages, summary })
}

fn package(before: &Side<'_, '_>, after: &Side<'_, '_>, pair: &Pair<'_>) -> Result<PackageDiff> {
    let (old, new) = (pair.0.as_ref(), pair.1.as_ref());
    let change = match (old, new) {
        (None, _) => Change::Added,
        (_, None) => Change::Removed,
        _ => Change::Changed,
    };
    let name = new.or(old).map(|spec| spec.node.name.to_string()).unwrap_or_default();
    let roots = new.or(old).map(|spec| spec.roots.as_slice()).unwrap_or_default();
    let words = |spec: &Spec<'_>| spec.words.clone();
    let mut row = PackageDiff {
        name,
        change,
        words: String::new(),
        from: old.map(words),
        to: new.map(words),
        from_hash: old.map(|spec| spec.hash.to_owned()),
        to_hash: new.map(|spec| spec.hash.to_owned()),
        why: None,
        build_only: old.is_none_or(|spec| spec.build_only) && new.is_none_or(|spec| spec.build_only),
        roots: roots.iter().map(|root| (*root).to_owned()).collect(),
        only_hash: false,
        version: None,
        variants: Vec::new(),
        compilers: Vec::new(),
        flags: Vec::new(),
        arch: Vec::new(),
        dependencies: Vec::new(),
        external: None,
        namespace: None,
        patches: None,
        package_hash: None,
        build_spec: None,
    };
    row.words = match old.zip(new) {
        Some((old, new)) => {
            differences(&mut row, before, after, old, new)?;
            words::of_changed(&row)
        }
        None => new.or(old).map(words::of_one).unwrap_or_default(),
    };
    Ok(row)
}

fn differences(
    row: &mut PackageDiff,
    before: &Side<'_, '_>,
    after: &Side<'_, '_>,
    old: &Spec<'_>,
    new: &Spec<'_>,
) -> Result<()> {
    let (from, to) = (old.node, new.node);
    row.version = aspects::both_have(Some(&from.version), Some(&to.version));
    row.variants = aspects::variants(from, to);
    row.compilers = aspects::compilers(before, after, from, to)?;
    row.flags = aspects::flags(from, to);
    row.arch = aspects::arch(from, to);
    row.dependencies = edges::dependencies(before, after, from, to)?;
    row.external = aspects::external(from, to);
    row.namespace = aspects::both_have(from.namespace.as_ref(), to.namespace.as_ref());
    row.patches = aspects::patches(from, to);
    row.package_hash = aspects::both_have(from.package_hash.as_ref(), to.package_hash.as_ref());
    row.build_spec = aspects::any_has(from.build_spec.as_ref(), to.build_spec.as_ref());
    row.only_hash = row.version.is_none()
        && row.variants.is_empty()
        && row.compilers.is_empty()
        && row.flags.is_empty()
        && row.arch.is_empty()
        && row.dependencies.is_empty()
        && row.external.is_none()
        && row.namespace.is_none()
        && row.patches.is_none()
        && row.package_hash.is_none()
        && row.build_spec.is_none();
    Ok(())
}

/// Roots by the words in which they are asked for; the same words may stand for several.
fn roots(before: &Side<'_, '_>, after: &Side<'_, '_>) -> Result<RootsDiff> {
    let mut asked: BTreeMap<&str, (Vec<&str>, Vec<&str>)> = BTreeMap::new();
    before.own_roots().for_each(|root| asked.entry(&root.spec).or_default().0.push(&root.hash));
    after.own_roots().for_each(|root| asked.entry(&root.spec).or_default().1.push(&root.hash));
    let mut out = RootsDiff::default();
    for (spec, (mut old, mut new)) in asked {
        old.sort_unstable();
        new.sort_unstable();
        old.retain(|hash| match new.iter().position(|other| other == hash) {
            Some(at) => {
                new.remove(at);
                false
            }
            None => true,
        });
        for at in 0..old.len().max(new.len()) {
            let (from, to) = (old.get(at).copied(), new.get(at).copied());
            let row = RootDiff {
                spec: spec.to_owned(),
                from: from.map(|hash| before.words(hash)).transpose()?.flatten(),
                to: to.map(|hash| after.words(hash)).transpose()?.flatten(),
                from_hash: from.map(str::to_owned),
                to_hash: to.map(str::to_owned),
            };
            match (from, to) {
                (Some(_), Some(_)) => out.changed.push(row),
                (None, _) => out.added.push(row),
                _ => out.removed.push(row),
            }
        }
    }
    Ok(out)
}

//! What differs between the dependencies of a spec and those of what took its place.

use std::collections::BTreeSet;

use super::rows::{DependencyChange, DependencyDiff, DependencyEnd};
use super::side::{Side, is_compiler_edge};
use crate::base::Result;
use crate::spack::store::node::{Dependency, Node};

type Edges<'n> = Vec<&'n Dependency<'n>>;

/// Sorted by name. Compilers are told apart, and what differs only by its hash is told where it stands itself.
pub fn dependencies(
    before: &Side<'_, '_>,
    after: &Side<'_, '_>,
    from: &Node<'_>,
    to: &Node<'_>,
) -> Result<Vec<DependencyDiff>> {
    let virtuals = before.knows_virtuals() && after.knows_virtuals();
    let means_same =
        |a: &Dependency<'_>, b: &Dependency<'_>| a.types == b.types && (!virtuals || same_virtuals(a, b));
    let (mut old, mut new) = (edges(from), edges(to));
    let mut changed = Vec::new();
    pair(&mut old, &mut new, |a, b| a.name == b.name && a.hash == b.hash, &mut changed);
    changed.retain(|(a, b)| !means_same(a, b));
    let mut moved = Vec::new();
    pair(&mut old, &mut new, |a, b| a.name == b.name, &mut moved);
    for (a, b) in moved {
        if !means_same(a, b) || before.version(&a.hash)? != after.version(&b.hash)? {
            changed.push((a, b));
        }
    }
    let row = |name: &str, change, a: Option<&Dependency<'_>>, b: Option<&Dependency<'_>>| {
        let from = a.map(|edge| end(before, edge)).transpose()?;
        let to = b.map(|edge| end(after, edge)).transpose()?;
        Ok(DependencyDiff { name: name.to_owned(), change, from, to })
    };
    let mut out: Vec<DependencyDiff> = Vec::new();
    for (a, b) in changed {
        out.push(row(&a.name, DependencyChange::Changed, Some(a), Some(b))?);
    }
    for (name, a, b) in replaced(&mut old, &mut new) {
        out.push(row(name, DependencyChange::Replaced, Some(a), Some(b))?);
    }
    for a in old {
        out.push(row(&a.name, DependencyChange::Removed, Some(a), None)?);
    }
    for b in new {
        out.push(row(&b.name, DependencyChange::Added, None, Some(b))?);
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

fn edges<'n>(node: &'n Node<'_>) -> Edges<'n> {
    let mut edges: Edges<'n> = node.dependencies.iter().filter(|edge| !is_compiler_edge(edge)).collect();
    edges.sort_by(|a, b| (&a.name, &a.hash).cmp(&(&b.name, &b.hash)));
    edges
}

/// Takes out of both what belongs together.
fn pair<'n>(
    old: &mut Edges<'n>,
    new: &mut Edges<'n>,
    together: impl Fn(&Dependency<'_>, &Dependency<'_>) -> bool,
    out: &mut Vec<(&'n Dependency<'n>, &'n Dependency<'n>)>,
) {
    old.retain(|a| {
        let Some(at) = new.iter().position(|b| together(a, b)) else { return true };
        out.push((a, new.remove(at)));
        false
    });
}

/// Takes out of both what provides the same virtual package.
fn replaced<'n>(
    old: &mut Edges<'n>,
    new: &mut Edges<'n>,
) -> Vec<(&'n str, &'n Dependency<'n>, &'n Dependency<'n>)> {
    let names = |edges: &Edges<'n>| -> BTreeSet<&'n str> {
        edges.iter().flat_map(|edge| &edge.virtuals).map(|name| &**name).collect()
    };
    let mut out = Vec::new();
    for name in names(old).intersection(&names(new)) {
        let a = old.iter().position(|edge| edge.provides(name));
        let b = new.iter().position(|edge| edge.provides(name));
        if let Some((a, b)) = a.zip(b) {
            out.push((*name, old.remove(a), new.remove(b)));
        }
    }
    out
}

fn same_virtuals(a: &Dependency<'_>, b: &Dependency<'_>) -> bool {
    a.virtuals.len() == b.virtuals.len() && a.virtuals.iter().all(|name| b.provides(name))
}

fn end(side: &Side<'_, '_>, edge: &Dependency<'_>) -> Result<DependencyEnd> {
    Ok(DependencyEnd {
        name: edge.name.to_string(),
        version: side.version(&edge.hash)?.map(str::to_owned),
        hash: edge.hash.to_string(),
        types: edge.types,
        virtuals: edge.virtuals.iter().map(ToString::to_string).collect(),
    })
}

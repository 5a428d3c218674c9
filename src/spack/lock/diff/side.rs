//! One of the two locks that are compared: what it holds, and what of it is read. A node that both hold by the same
//! hash is read only where something that differs asks for its version.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use crate::base::Result;
use crate::spack::lock::lockfile::{Locked, Lockfile, Root};
use crate::spack::store::node::{Dependency, Node};
use crate::spack::store::{query, row};

/// The languages of compilers, as virtual packages.
pub const LANGUAGES: [&str; 3] = ["c", "cxx", "fortran"];

/// Of older ones it is not known which dependencies an edge's hash means.
const EDGES_BY_KEY: u64 = 4;
/// Since then an edge names the virtual packages that it stands for.
const VIRTUALS: u64 = 5;

pub struct Side<'s, 'a> {
    lock: &'s Lockfile<'a>,
    all: HashMap<&'s str, &'s Locked<'a>>,
    /// Those of included environments too.
    roots: Vec<&'s Root<'a>>,
    kept: Option<HashSet<&'s str>>,
}

/// A concrete spec that the other side lacks.
pub struct Spec<'s> {
    pub hash: &'s str,
    pub node: &'s Node<'s>,
    /// In Spack's syntax, with the short hash.
    pub words: String,
    pub build_only: bool,
    pub roots: Vec<&'s str>,
}

impl<'s, 'a> Side<'s, 'a> {
    pub fn whole(lock: &'s Lockfile<'a>) -> Self {
        Side { lock, all: lock.by_hash(), roots: lock.all_roots(), kept: None }
    }

    /// What of a lock is kept by `keep`, as what of it is installed.
    pub fn part(lock: &'s Lockfile<'a>, keep: impl Fn(&str) -> bool) -> Self {
        let mut side = Side::whole(lock);
        side.kept = Some(side.all.keys().copied().filter(|hash| keep(hash)).collect());
        side
    }

    pub fn has(&self, hash: &str) -> bool {
        match &self.kept {
            Some(kept) => kept.contains(hash),
            None => self.all.contains_key(hash),
        }
    }

    /// The number of specs.
    pub fn len(&self) -> usize {
        self.kept.as_ref().map_or(self.all.len(), HashSet::len)
    }

    /// What the environment asks for itself.
    pub fn own_roots(&self) -> impl Iterator<Item = &'s Root<'a>> {
        self.lock.roots().iter().filter(|root| self.has(&root.hash))
    }

    pub fn knows_virtuals(&self) -> bool {
        self.lock.version >= VIRTUALS
    }

    /// The node of a hash, also where it is not kept; none if the lock lacks it.
    pub fn node(&self, hash: &str) -> Result<Option<&'s Node<'a>>> {
        self.all.get(hash).map(|locked| self.lock.node(locked)).transpose()
    }

    pub fn version(&self, hash: &str) -> Result<Option<&'s str>> {
        Ok(self.node(hash)?.map(|node| &*node.version))
    }

    /// A root's concrete spec in words.
    pub fn words(&self, hash: &str) -> Result<Option<String>> {
        Ok(self.node(hash)?.map(|node| in_words(node, hash)))
    }

    /// Reads what the other side lacks.
    pub fn only(&self, other: &Side<'_, '_>) -> Result<Vec<Spec<'s>>> {
        let mut asked: HashMap<&str, Vec<&'s str>> = HashMap::new();
        for root in &self.roots {
            asked.entry(&root.hash).or_default().push(&root.spec);
        }
        let runtime = self.runtime(other)?;
        let mut out = Vec::new();
        for (hash, locked) in &self.all {
            if !self.has(hash) || other.has(hash) {
                continue;
            }
            let node = self.lock.node(locked)?;
            let mut roots = asked.remove(hash).unwrap_or_default();
            roots.sort_unstable();
            roots.dedup();
            out.push(Spec {
                hash,
                node,
                words: in_words(node, hash),
                build_only: runtime.as_ref().is_some_and(|runtime| !runtime.contains(hash)),
                roots,
            });
        }
        Ok(out)
    }

    /// What roots link to and run, as far as it matters. A hash covers everything below it, so whatever stands above a
    /// node that the other lock lacks is lacking there as well: the walk ends at nodes that both hold.
    fn runtime(&self, other: &Side<'_, '_>) -> Result<Option<HashSet<&'s str>>> {
        if self.lock.version < EDGES_BY_KEY {
            return Ok(None);
        }
        let mut seen: HashSet<&str> = HashSet::new();
        let mut next: Vec<&str> = self.roots.iter().map(|root| &*root.hash).collect();
        while let Some(hash) = next.pop() {
            // Of a part of a lock it is not so.
            if (other.kept.is_none() && other.has(hash)) || !seen.insert(hash) {
                continue;
            }
            let edges = self.node(hash)?.map(|node| node.dependencies.as_slice()).unwrap_or_default();
            let runtime = edges.iter().filter(|edge| edge.has_type("link") || edge.has_type("run"));
            next.extend(runtime.map(|edge| &*edge.hash));
        }
        Ok(Some(seen))
    }

    /// The compiler for a language, as `gcc@12.2.0`.
    pub fn compiler(&self, node: &Node<'_>, language: &str) -> Result<Option<String>> {
        let Some(edge) = compiler_edge(node, language) else { return Ok(None) };
        Ok(Some(match self.version(&edge.hash)? {
            Some(version) => format!("{}@{version}", edge.name),
            None => edge.name.to_string(),
        }))
    }
}

fn in_words(node: &Node<'_>, hash: &str) -> String {
    let mut words = row::format_node(node);
    // Writing to a `String` cannot fail.
    let _ = write!(words, " /{}", query::short(hash));
    words
}

/// The edge to the compiler for a language; of several the last counts.
pub fn compiler_edge<'n, 'a>(node: &'n Node<'a>, language: &str) -> Option<&'n Dependency<'a>> {
    node.dependencies.iter().rev().find(|edge| edge.has_type("build") && edge.provides(language))
}

/// Whether an edge only says which compiler builds the node.
pub fn is_compiler_edge(edge: &Dependency<'_>) -> bool {
    let languages = |name: &str| LANGUAGES.contains(&name);
    !edge.virtuals.is_empty()
        && edge.types.names().all(|name| name == "build")
        && edge.virtuals.iter().all(|name| languages(name))
}

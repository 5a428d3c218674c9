//! The install database, read without starting Spack. Records are found at once and their nodes parsed only when
//! somebody looks at them, so a query costs little more than reading the file. The file is checked as a whole first:
//! a damaged one is an error that says where, never a shorter answer. Questions to several databases are asked in
//! `stores`.
//!
//! ```text
//! read → index ↔ mod → { mark, reader }
//! ```

pub(crate) mod index;
pub mod mark;
pub(crate) mod read;
pub mod reader;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::node::{Node, Text};
use crate::base::{Kind, Result, Trouble};
use crate::spack::text::corrupt::{corrupt, corrupt_json, offset_in, utf8};
use crate::spack::text::hash::{self, Verdict};
use reader::Reader;

/// The bytes of one index file; a [`Database`] borrows from it.
#[derive(Debug, Clone)]
pub struct DatabaseText {
    path: PathBuf,
    /// `None` where the store has no index yet.
    text: Option<String>,
}

impl DatabaseText {
    /// An index from memory; `path` is only named in errors.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        Ok(DatabaseText { path: path.to_owned(), text: Some(utf8(path, bytes)?) })
    }

    /// The database of a store into which nothing was installed.
    pub fn empty(path: &Path) -> Self {
        DatabaseText { path: path.to_owned(), text: None }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The store has no index.
    pub fn is_absent(&self) -> bool {
        self.text.is_none()
    }

    /// Reads an index of any version that is known here.
    pub fn parse(&self) -> Result<Database<'_>> {
        self.parse_for(&Reader::any())
    }

    /// Reads an index of a version that this Spack reads as well.
    pub fn parse_for(&self, reader: &Reader) -> Result<Database<'_>> {
        let Some(text) = &self.text else { return Ok(Database::new(&self.path, "", "8", Vec::new())) };
        let index = index::read(&self.path, text, reader)?;
        let database = Database::new(&self.path, text, index.version, index.records);
        database.check_keys()?;
        Ok(database)
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Installed,
    /// Not installed, but something that is needs the record.
    Missing,
    /// Replaced by another spec.
    Deprecated,
}

#[derive(Debug, Default)]
pub struct Record<'a> {
    pub hash: &'a str,
    pub name: Text<'a>,
    pub version: Text<'a>,
    pub namespace: Option<Text<'a>>,
    /// The prefix.
    pub path: Option<Text<'a>>,
    pub installed: bool,
    pub explicit: bool,
    pub ref_count: u64,
    /// Unix seconds.
    pub installed_at: Option<f64>,
    pub deprecated_for: Option<Text<'a>>,
    pub origin: Option<Text<'a>>,
    pub in_buildcache: bool,
    /// The node as it stands in the file.
    pub raw: &'a str,
    /// Its place in the database.
    pub(in crate::spack) at: usize,
}

impl Record<'_> {
    pub fn state(&self) -> State {
        if self.installed {
            State::Installed
        } else if self.deprecated_for.is_some() {
            State::Deprecated
        } else {
            State::Missing
        }
    }

    /// Whether its node says name and version where every format since 0.18 does.
    pub(in crate::spack) fn is_plain(&self) -> bool {
        !self.name.is_empty() && !self.version.is_empty()
    }

    /// Does the node still have the hash that Spack gave it?
    pub fn verify(&self) -> Verdict {
        hash::verify(self.raw)
    }
}

#[derive(Debug)]
pub struct Database<'a> {
    path: PathBuf,
    text: &'a str,
    version: &'a str,
    records: Vec<Record<'a>>,
    nodes: Vec<OnceLock<Box<Node<'a>>>>,
    by_hash: HashMap<&'a str, usize>,
    dependents: OnceLock<Vec<Vec<usize>>>,
    virtuals: OnceLock<BTreeMap<String, BTreeSet<String>>>,
}

impl<'a> Database<'a> {
    fn new(path: &Path, text: &'a str, version: &'a str, records: Vec<Record<'a>>) -> Self {
        let by_hash = records.iter().enumerate().map(|(i, r)| (r.hash, i)).collect();
        Database {
            path: path.to_owned(),
            text,
            version,
            nodes: records.iter().map(|_| OnceLock::new()).collect(),
            records,
            by_hash,
            dependents: OnceLock::new(),
            virtuals: OnceLock::new(),
        }
    }

    /// Each hash once.
    fn check_keys(&self) -> Result<()> {
        if self.by_hash.len() == self.records.len() {
            return Ok(());
        }
        let twice = self.records.iter().enumerate().find(|(i, r)| self.by_hash.get(r.hash) != Some(i));
        let (hash, at) = twice.map_or(("", 0), |(_, r)| (r.hash, offset_in(self.text, r.hash)));
        Err(corrupt(&self.path, at, format!("the hash '{hash}' stands twice")))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of the index format.
    pub fn version(&self) -> &str {
        self.version
    }

    /// In the order of the file.
    pub fn records(&self) -> &[Record<'a>] {
        &self.records
    }

    pub fn get(&self, hash: &str) -> Option<&Record<'a>> {
        self.by_hash.get(hash).and_then(|at| self.records.get(*at))
    }

    /// The node of a record, parsed at the first call.
    pub fn node<'s>(&'s self, record: &'s Record<'a>) -> Result<&'s Node<'a>> {
        let cell = self.nodes.get(record.at).filter(|_| self.by_hash.get(record.hash) == Some(&record.at));
        let Some(cell) = cell else {
            return Err(Trouble::new(Kind::Internal, "a record was looked up in another database"));
        };
        if let Some(node) = cell.get() {
            return Ok(node);
        }
        let node = self.read_node(record)?;
        Ok(cell.get_or_init(|| Box::new(node)))
    }

    /// The node of a record, parsed for one look at it.
    pub fn read_node(&self, record: &Record<'a>) -> Result<Node<'a>> {
        let base = offset_in(self.text, record.raw);
        let node = Node::from_json(record.raw).map_err(|e| corrupt_json(&self.path, record.raw, base, &e))?;
        self.check_node(record, &node, base)?;
        Ok(node)
    }

    fn check_node(&self, record: &Record<'a>, node: &Node<'a>, base: usize) -> Result<()> {
        match node.hash.as_deref() {
            Some(hash) if hash != record.hash => {
                return Err(corrupt(&self.path, base, format!("the record of {} holds {hash}", record.hash)));
            }
            _ => {}
        }
        match node.unknown_keys.first() {
            Some(key) if record.verify() != Verdict::Match => Err(corrupt(
                &self.path,
                base,
                format!("the node of {} has an unknown key '{key}'", record.hash),
            )),
            _ => Ok(()),
        }
    }

    /// The error for a record that says something impossible.
    pub fn damaged(&self, record: &Record<'_>, what: impl std::fmt::Display) -> Trouble {
        let what = format!("the record of {}: {what}", record.hash);
        corrupt(&self.path, offset_in(self.text, record.raw), what)
    }

    /// Everything reachable from a record, nearest first, without itself. Hashes that no record has are
    /// left out; see `Node::dependencies` for those.
    pub fn dependencies<'s>(&'s self, record: &'s Record<'a>) -> Result<Vec<&'s Record<'a>>> {
        let mut found: Vec<&Record<'a>> = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::from([record.hash]);
        let mut queue = std::collections::VecDeque::from([record]);
        while let Some(current) = queue.pop_front() {
            for edge in &self.node(current)?.dependencies {
                if let Some(child) = self.get(&edge.hash)
                    && seen.insert(child.hash)
                {
                    found.push(child);
                    queue.push_back(child);
                }
            }
        }
        Ok(found)
    }

    /// The records that depend on this one directly.
    pub fn dependents<'s>(&'s self, record: &Record<'a>) -> Result<Vec<&'s Record<'a>>> {
        let reverse = self.reverse_edges()?;
        let at = self.by_hash.get(record.hash).copied();
        let parents = at.and_then(|at| reverse.get(at)).map_or(&[][..], Vec::as_slice);
        Ok(parents.iter().filter_map(|at| self.records.get(*at)).collect())
    }

    fn reverse_edges(&self) -> Result<&Vec<Vec<usize>>> {
        if let Some(known) = self.dependents.get() {
            return Ok(known);
        }
        let mut reverse = vec![Vec::new(); self.records.len()];
        for (parent, record) in self.records.iter().enumerate() {
            for edge in &self.node(record)?.dependencies {
                let child = self.by_hash.get(&*edge.hash).copied();
                if let Some(parents) = child.and_then(|at| reverse.get_mut(at))
                    && parents.last() != Some(&parent)
                {
                    parents.push(parent);
                }
            }
        }
        Ok(self.dependents.get_or_init(|| reverse))
    }

    /// Every virtual that some edge in this database says its child provides, with those children's hashes.
    pub fn virtuals(&self) -> Result<&BTreeMap<String, BTreeSet<String>>> {
        if let Some(known) = self.virtuals.get() {
            return Ok(known);
        }
        let mut virtuals: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for record in &self.records {
            for edge in &self.node(record)?.dependencies {
                for name in &edge.virtuals {
                    match virtuals.get_mut(&**name) {
                        Some(children) => {
                            if !children.contains(&*edge.hash) {
                                children.insert(edge.hash.to_string());
                            }
                        }
                        None => {
                            virtuals.insert(name.to_string(), BTreeSet::from([edge.hash.to_string()]));
                        }
                    }
                }
            }
        }
        Ok(self.virtuals.get_or_init(|| virtuals))
    }
}

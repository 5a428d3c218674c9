//! A store and its upstreams as one: a hash means the same spec everywhere, and the local record wins.

use std::collections::{HashSet, VecDeque};

use crate::base::Result;

use super::database::{Database, Record};
use super::node::{Dependency, Node};

/// The local database first, then the upstreams in their order.
#[derive(Debug)]
pub struct Stores<'a> {
    databases: Vec<Database<'a>>,
}

/// A record and the database it is of.
#[derive(Debug, Clone, Copy)]
pub struct StoreEntry<'s, 'a> {
    pub database: &'s Database<'a>,
    pub record: &'s Record<'a>,
    /// Zero for the local database.
    pub store: usize,
}

impl<'s, 'a> StoreEntry<'s, 'a> {
    pub fn node(&self) -> Result<&'s Node<'a>> {
        self.database.node(self.record)
    }

    /// The node for one look at it: not kept.
    pub fn read_node(&self) -> Result<Node<'a>> {
        self.database.read_node(self.record)
    }
}

impl<'a> Stores<'a> {
    pub fn new(local: Database<'a>, upstreams: Vec<Database<'a>>) -> Self {
        Stores::of(Some(local), upstreams)
    }

    pub(super) fn of(local: Option<Database<'a>>, upstreams: Vec<Database<'a>>) -> Self {
        Stores { databases: local.into_iter().chain(upstreams).collect() }
    }

    pub fn databases(&self) -> &[Database<'a>] {
        &self.databases
    }

    pub fn get<'s>(&'s self, hash: &str) -> Option<StoreEntry<'s, 'a>> {
        self.databases.iter().enumerate().find_map(|(store, database)| {
            let record = database.get(hash)?;
            Some(StoreEntry { database, record, store })
        })
    }

    /// Every record once.
    pub fn entries<'s>(&'s self) -> impl Iterator<Item = StoreEntry<'s, 'a>> {
        self.databases.iter().enumerate().flat_map(move |(store, database)| {
            let earlier = self.databases.get(..store).unwrap_or(&[]);
            database
                .records()
                .iter()
                .filter(move |record| earlier.iter().all(|db| db.get(record.hash).is_none()))
                .map(move |record| StoreEntry { database, record, store })
        })
    }

    /// The direct dependencies whose records are known.
    pub fn children<'s>(
        &'s self,
        entry: StoreEntry<'s, 'a>,
    ) -> Result<impl Iterator<Item = (&'s Dependency<'a>, StoreEntry<'s, 'a>)>> {
        let node = entry.node()?;
        Ok(node.dependencies.iter().filter_map(move |edge| {
            let own = entry.database.get(&edge.hash).filter(|_| entry.store == 0);
            let child = match own {
                Some(record) => StoreEntry { database: entry.database, record, store: 0 },
                None => self.get(&edge.hash)?,
            };
            Some((edge, child))
        }))
    }

    /// Every edge reachable from `from`, nearest first, through edges that `follow` accepts.
    pub fn edges<'s>(
        &'s self,
        from: StoreEntry<'s, 'a>,
        follow: impl Fn(&Dependency<'a>) -> bool,
    ) -> Result<Vec<(&'s Dependency<'a>, StoreEntry<'s, 'a>)>> {
        let mut out = Vec::new();
        let mut seen: HashSet<&str> = HashSet::from([from.record.hash]);
        let mut queue = VecDeque::from([from]);
        while let Some(parent) = queue.pop_front() {
            for (edge, child) in self.children(parent)?.filter(|(edge, _)| follow(edge)) {
                out.push((edge, child));
                if seen.insert(child.record.hash) {
                    queue.push_back(child);
                }
            }
        }
        Ok(out)
    }

    /// Does some edge call `name` a virtual?
    pub fn is_virtual(&self, name: &str) -> Result<bool> {
        for database in &self.databases {
            if database.virtuals()?.contains_key(name) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Does some edge say that this record provides the virtual?
    pub fn provides_by_edge(&self, entry: StoreEntry<'_, 'a>, name: &str) -> Result<bool> {
        for database in &self.databases {
            if database.virtuals()?.get(name).is_some_and(|children| children.contains(entry.record.hash)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

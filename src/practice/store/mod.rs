//! The install tree: database, locks and prefixes, and the mirror that binaries come from. A change takes Spack's
//! write lock, reads the index again, and replaces it by a rename before the verifier is renewed (contract 2.4).
//! Nothing here decides what is installed.
//!
//! ```text
//! mirror → build → mod
//! ```

pub(crate) mod build;
pub(crate) mod mirror;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble};
use crate::practice::model::disk;
use crate::practice::model::record::{Node, Nodes, Record};
use crate::world::fs::lock::{self, Mode, Range, SpackLock};

#[derive(Debug, Clone)]
pub struct Store {
    pub root: PathBuf,
    /// How long to wait for the database's lock; none waits for ever.
    pub patience: Option<Duration>,
    pub locking: bool,
}

#[derive(Serialize, Deserialize)]
struct IndexFile {
    database: Index,
}

#[derive(Serialize, Deserialize)]
struct Index {
    version: String,
    installs: BTreeMap<String, Record>,
}

/// The records of the store at one moment.
#[derive(Debug, Clone, Default)]
pub struct Records(pub BTreeMap<String, Record>);

impl Records {
    pub fn nodes(&self) -> Nodes {
        self.0.iter().map(|(h, r)| (h.clone(), r.spec.clone())).collect()
    }

    pub fn installed(&self, hash: &str) -> Option<&Record> {
        self.0.get(hash).filter(|r| r.installed)
    }

    /// Installed records that depend on `hash`.
    pub fn dependents(&self, hash: &str) -> Vec<&Record> {
        self.0
            .values()
            .filter(|r| r.installed && r.spec.dependencies.iter().any(|e| e.hash == hash))
            .collect()
    }

    fn count_references(&mut self) {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for edge in self.0.values().flat_map(|r| &r.spec.dependencies) {
            *counts.entry(edge.hash.clone()).or_default() += 1;
        }
        for (hash, record) in &mut self.0 {
            record.ref_count = counts.get(hash).copied().unwrap_or(0);
        }
    }

    /// Drops records that are not installed and that nothing refers to any more.
    fn drop_unreferenced(&mut self) {
        loop {
            self.count_references();
            let before = self.0.len();
            self.0.retain(|_, r| r.installed || r.ref_count > 0);
            if self.0.len() == before {
                return;
            }
        }
    }
}

/// The byte of `prefix_lock` that stands for a hash: its first 63 bits.
pub fn lock_byte(hash: &str) -> i64 {
    let upper = hash.to_ascii_uppercase();
    let bytes = data_encoding::BASE32_NOPAD.decode(upper.as_bytes()).unwrap_or_default();
    let mut first = [0_u8; 8];
    for (to, from) in first.iter_mut().zip(&bytes) {
        *to = *from;
    }
    (u64::from_be_bytes(first) >> 1) as i64
}

/// A random UUID, as Spack's verifier is.
fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    let seed = std::fs::File::open("/dev/urandom").and_then(|mut f| {
        use std::io::Read as _;
        f.read_exact(&mut bytes)
    });
    if seed.is_err() {
        let now = jiff::Timestamp::now().as_nanosecond();
        bytes = (now ^ i128::from(nix::unistd::getpid().as_raw())).to_be_bytes();
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    let parts = [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)];
    parts.iter().filter_map(|(from, to)| hex.get(*from..*to)).collect::<Vec<_>>().join("-")
}

impl Store {
    pub fn at(root: &Path) -> Store {
        Store { root: root.to_owned(), patience: Some(Duration::from_mins(1)), locking: true }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.join(".spack-db").join(name)
    }

    pub fn index_path(&self) -> PathBuf {
        self.file("index.json")
    }

    pub fn prefix(&self, node: &Node) -> PathBuf {
        if let Some(path) = node.external_path() {
            return PathBuf::from(path);
        }
        self.root.join(format!("{}-{}", node.arch.platform, node.target())).join(node.long_name())
    }

    /// Makes the database's files where they are missing, as the first command on a tree does.
    pub fn prepare(&self) -> Result<()> {
        for name in ["lock", "prefix_lock", "prefix_failures"] {
            if !self.file(name).exists() {
                disk::touch(&self.file(name))?;
            }
        }
        Ok(())
    }

    fn database_lock(&self, mode: Mode) -> Result<Option<SpackLock>> {
        if !self.locking {
            return Ok(None);
        }
        let patience = self.patience.unwrap_or(Duration::from_secs(u64::from(u32::MAX)));
        lock::lock(&self.file("lock"), mode, Range::WHOLE, patience).map_err(|t| {
            let word = if mode == Mode::Read { "read" } else { "write" };
            let waited = t.facts().get("waited_seconds").and_then(serde_json::Value::as_f64).unwrap_or(0.0);
            let path = self.file("lock");
            let text = format!(
                "Timed out waiting for a {word} lock after {waited:.3}s.\n    Made {} attempts on file: {}",
                (waited / 0.1) as u64 + 1,
                path.display()
            );
            Trouble::new(Kind::Lock, text)
        })
    }

    fn load(&self) -> Result<Records> {
        let path = self.index_path();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Records::default()),
            Err(e) => return Err(Trouble::io("read", &path, e)),
        };
        let file: IndexFile = serde_json::from_slice(&text)
            .map_err(|e| Trouble::new(Kind::Corrupt, format!("error parsing database: {e}")))?;
        if file.database.version != "8" {
            let text = format!(
                "Expected database version 8 but found version {} in '{}'.",
                file.database.version,
                path.display()
            );
            return Err(Trouble::new(Kind::UnknownFormat, text));
        }
        Ok(Records(file.database.installs))
    }

    pub fn read(&self) -> Result<Records> {
        self.prepare()?;
        let _lock = self.database_lock(Mode::Read)?;
        self.load()
    }

    /// Changes the database in one transaction.
    pub fn change<T>(&self, change: impl FnOnce(&mut Records) -> T) -> Result<T> {
        self.prepare()?;
        let _lock = self.database_lock(Mode::Write)?;
        let mut records = self.load()?;
        let result = change(&mut records);
        records.drop_unreferenced();
        let file = IndexFile { database: Index { version: "8".to_owned(), installs: records.0 } };
        let text = serde_json::to_vec(&file)
            .map_err(|e| Trouble::new(Kind::Internal, "the database cannot be written").caused_by(e))?;
        let path = self.index_path();
        disk::replace(&path, &disk::temporary_name(&path), &text)?;
        disk::write(&self.file("index_verifier"), uuid())?;
        Ok(result)
    }

    /// The lock on one prefix; waits as long as it takes, as Spack does by default.
    pub fn lock_prefix(&self, hash: &str, mode: Mode) -> Result<Option<SpackLock>> {
        if !self.locking {
            return Ok(None);
        }
        let range = Range { start: lock_byte(hash), length: 1 };
        lock::lock(&self.file("prefix_lock"), mode, range, Duration::from_secs(u64::from(u32::MAX)))
    }

    pub fn mark_failed(&self, node: &Node, spec: &serde_json::Value) -> Result<()> {
        disk::write(&self.file("failures").join(format!("{}-{}", node.name, node.hash)), spec.to_string())
    }

    pub fn clear_failure(&self, node: &Node) -> Result<()> {
        disk::remove(&self.file("failures").join(format!("{}-{}", node.name, node.hash)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unreferenced_missing_records_go_and_referenced_ones_stay() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path());
        let mut low = Node::new("low", "1", "x86_64");
        low.seal();
        let mut high = Node::new("high", "1", "x86_64");
        high.dependencies.push(crate::practice::model::record::Edge {
            name: "low".into(),
            hash: low.hash.clone(),
            parameters: crate::practice::model::record::EdgeParameters {
                deptypes: vec!["link".into()],
                virtuals: vec![],
                rest: serde_json::Map::new(),
            },
        });
        high.seal();
        let record = |spec: &Node, installed| Record {
            spec: spec.clone(),
            ref_count: 0,
            path: None,
            installed,
            explicit: false,
            installation_time: 0.0,
            deprecated_for: None,
            rest: serde_json::Map::new(),
        };
        store
            .change(|r| {
                r.0.insert(low.hash.clone(), record(&low, false));
                r.0.insert(high.hash.clone(), record(&high, true));
            })
            .unwrap();
        let records = store.read().unwrap();
        assert_eq!(records.0[&low.hash].ref_count, 1);
        store.change(|r| r.0.remove(&high.hash)).unwrap();
        assert!(store.read().unwrap().0.is_empty());
    }
}

//! A snapshot as lists show it.

use schemars::JsonSchema;
use serde::Serialize;

use super::source::Source;
use crate::base::Trouble;
use crate::snapshot::store::index::{Shelf, StoredSnapshot};

/// A snapshot in a list.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SnapshotRow {
    /// `NAME@NUMBER`, to be used wherever a snapshot is asked for.
    pub snapshot: String,
    /// SHA-256 of its document.
    pub id: String,
    /// The environment.
    pub env: String,
    /// Counted within the environment.
    pub number: u64,
    /// When it was taken (RFC 3339).
    pub created: String,
    /// Roots in its lock.
    pub roots: usize,
    /// Concrete specs in its lock.
    pub specs: usize,
    /// Never deleted or pruned.
    pub pinned: bool,
    /// The environment was proven to work in this state.
    pub good: bool,
    pub tags: Vec<String>,
    /// Of which generation it is, asked for by the name of the generations; 1 for what was adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// Where the worst of its hashes would come from if it were restored now, as `snapshot.check` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Source>,
    /// What the verdict does not know, or why there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_looked: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Why it cannot be read, or not all that is said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
}

impl SnapshotRow {
    pub fn of(kept: &StoredSnapshot) -> SnapshotRow {
        let snapshot = &kept.snapshot;
        SnapshotRow {
            snapshot: snapshot.title(),
            id: kept.id.clone(),
            env: snapshot.env.name.clone(),
            number: snapshot.number,
            created: snapshot.created.clone(),
            roots: snapshot.roots,
            specs: snapshot.specs,
            pinned: kept.marks.pinned,
            good: kept.marks.good,
            tags: kept.marks.tags.iter().cloned().collect(),
            generation: None,
            verdict: None,
            not_looked: Vec::new(),
            description: snapshot.description.clone(),
            damaged: None,
        }
    }

    pub fn damaged(shelf: &Shelf<'_>, number: u64, trouble: &Trouble) -> SnapshotRow {
        let marks = shelf.marks(number);
        SnapshotRow {
            snapshot: format!("{}@{number}", shelf.env().name),
            id: String::new(),
            env: shelf.env().name.clone(),
            number,
            created: String::new(),
            roots: 0,
            specs: 0,
            pinned: marks.pinned,
            good: marks.good,
            tags: marks.tags.into_iter().collect(),
            generation: None,
            verdict: None,
            not_looked: Vec::new(),
            description: None,
            damaged: Some(trouble.message().to_owned()),
        }
    }
}

/// Unix seconds of a time as snapshots have it.
pub fn seconds(created: &str) -> Option<f64> {
    created.parse::<jiff::Timestamp>().ok().map(|at| at.as_millisecond() as f64 / 1000.0)
}

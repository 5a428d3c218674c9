//! Looks at a snapshot: what it holds, and whether it could be restored.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{self, Source};
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::snapshot::record::configuration::ConfigurationFile;
use crate::snapshot::record::state::HashState;
use crate::snapshot::store::document::{RepositoryRecord, SpackRecord};
use crate::snapshot::store::index::{Kept, Shelf};
use crate::snapshot::store::object::Objects;
use crate::snapshot::store::reference;

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
    pub fn of(kept: &Kept) -> SnapshotRow {
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

/// Everything that a snapshot holds.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ShowArgs {
    /// `NAME@NUMBER`, `NAME@last`, `NAME@good`, `NAME`, or the beginning of its id.
    pub snapshot: String,
}

/// A snapshot with what it holds.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SnapshotDetails {
    #[serde(flatten)]
    pub row: SnapshotRow,
    /// Folder of the environment.
    pub path: PathBuf,
    pub user: String,
    pub host: String,
    /// The run that took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    pub spack: SpackRecord,
    pub store: PathBuf,
    pub repositories: Vec<RepositoryRecord>,
    /// Of the specs, what was installed.
    pub installed: usize,
    /// How many hashes would come from where.
    pub counts: BTreeMap<String, usize>,
    /// What else is not as it was: repositories, Spack, externals.
    pub drift: Vec<String>,
    /// The state of each hash, sorted by name.
    pub hashes: Vec<HashState>,
    /// Configuration files, lowest precedence first.
    pub configuration: Vec<PathBuf>,
    /// The manifest.
    pub manifest: String,
    /// Bytes that its objects take, shared with other snapshots or not.
    pub size: u64,
}

pub async fn show(cx: Cx, args: ShowArgs) -> Result<SnapshotDetails> {
    let kept = reference::find(&cx, &args.snapshot)?;
    let mut row = SnapshotRow::of(&kept);
    let (mut counts, mut drift) = (BTreeMap::new(), Vec::new());
    // What it holds can be told without a Spack.
    match check::of(&cx, &kept, false).await {
        Ok(found) => {
            (counts, drift) = (found.counts, found.drift);
            row.verdict = Some(found.verdict);
            row.not_looked = found.not_looked;
        }
        Err(trouble) => row.not_looked.push(trouble.message().to_owned()),
    }
    cx.blocking(move |cx| {
        let objects = Objects(&cx);
        let mut hashes = states(&cx, &kept)?;
        hashes.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
        let snapshot = &kept.snapshot;
        Ok(SnapshotDetails {
            row,
            path: snapshot.env.path.clone(),
            user: snapshot.user.clone(),
            host: snapshot.host.clone(),
            run: snapshot.run,
            spack: snapshot.spack.clone(),
            store: snapshot.store.clone(),
            repositories: snapshot.repositories.clone(),
            installed: snapshot.installed,
            counts,
            drift,
            hashes,
            configuration: configuration(&cx, &kept)?.into_iter().map(|file| file.path).collect(),
            manifest: objects.text(&snapshot.manifest.object)?,
            size: snapshot.objects().into_iter().map(|id| objects.size(id)).sum(),
        })
    })
    .await
}

/// The state of each hash, as recorded.
pub fn states(cx: &Cx, kept: &Kept) -> Result<Vec<HashState>> {
    part(cx, kept, &kept.snapshot.state)
}

/// The configuration files, as recorded.
pub fn configuration(cx: &Cx, kept: &Kept) -> Result<Vec<ConfigurationFile>> {
    part(cx, kept, &kept.snapshot.configuration)
}

fn part<T: serde::de::DeserializeOwned>(cx: &Cx, kept: &Kept, object: &str) -> Result<T> {
    serde_json::from_slice(&Objects(cx).get(object)?).map_err(|e| {
        Trouble::new(
            Kind::Corrupt,
            format!("a part of snapshot {} cannot be read: {e}", kept.snapshot.title()),
        )
    })
}

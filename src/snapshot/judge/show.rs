//! Looks at a snapshot: what it holds, and whether it could be restored.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check;
use crate::base::Result;
use crate::site::Cx;
use crate::snapshot::record::parts::{configuration, states};
use crate::snapshot::record::row::SnapshotRow;
use crate::snapshot::record::state::HashState;
use crate::snapshot::store::document::{RepositoryRecord, SpackRecord};
use crate::snapshot::store::object::Objects;
use crate::snapshot::store::reference;

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

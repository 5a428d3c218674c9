//! Looks at snapshots: which there are, and what one holds.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::configuration::ConfigurationFile;
use super::document::{RepositoryRecord, SpackRecord};
use super::object::Objects;
use super::reference;
use super::shelf::{Kept, Shelf};
use super::state::HashState;
use crate::base::argument::Span;
use crate::base::{Kind, Result, Trouble, words};
use crate::site::Cx;

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
            description: snapshot.description.clone(),
            damaged: None,
        }
    }

    fn damaged(shelf: &Shelf<'_>, number: u64, trouble: &Trouble) -> SnapshotRow {
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
            description: None,
            damaged: Some(trouble.message().to_owned()),
        }
    }
}

/// Lists snapshots, oldest first.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ListArgs {
    /// Only of this environment: its name or folder.
    pub env: Option<String>,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only taken within this time: seconds or words such as `"30d"`.
    pub within: Option<Span>,
}

pub async fn list(cx: Cx, args: ListArgs) -> Result<Vec<SnapshotRow>> {
    cx.blocking(move |cx| rows(&cx, &args)).await
}

fn rows(cx: &Cx, args: &ListArgs) -> Result<Vec<SnapshotRow>> {
    let oldest = args.within.as_ref().map(|span| cx.world.clock.seconds() - span.0.as_secs_f64());
    let mut out = Vec::new();
    let mut names = Vec::new();
    let mut known = false;
    for shelf in Shelf::all(cx)? {
        let env = shelf.env().clone();
        let asked = |name: &str| env.name == name || env.path == std::path::Path::new(name);
        if args.env.as_deref().is_some_and(|name| !asked(name)) {
            names.push(env.name.clone());
            continue;
        }
        known = true;
        for number in shelf.numbers()? {
            let row = match shelf.read(number) {
                Ok(kept) => {
                    let damaged = shelf.problem.as_ref().map(|trouble| trouble.message().to_owned());
                    SnapshotRow { damaged, ..SnapshotRow::of(&kept) }
                }
                Err(trouble) => SnapshotRow::damaged(&shelf, number, &trouble),
            };
            let young = oldest.is_none_or(|oldest| seconds(&row.created).is_none_or(|at| at >= oldest));
            if young && args.tag.as_ref().is_none_or(|tag| row.tags.contains(tag)) {
                out.push(row);
            }
        }
    }
    match &args.env {
        Some(name) if !known => {
            Err(Trouble::new(Kind::NotFound, format!("there are no snapshots of '{name}'")).hint(
                match crate::base::nearest::nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("moonstack snapshot create {name} takes one"),
                },
            ))
        }
        _ => Ok(out),
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
    cx.blocking(move |cx| {
        let kept = reference::find(&cx, &args.snapshot)?;
        let objects = Objects(&cx);
        let mut hashes = states(&cx, &kept)?;
        hashes.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
        let snapshot = &kept.snapshot;
        Ok(SnapshotDetails {
            row: SnapshotRow::of(&kept),
            path: snapshot.env.path.clone(),
            user: snapshot.user.clone(),
            host: snapshot.host.clone(),
            run: snapshot.run,
            spack: snapshot.spack.clone(),
            store: snapshot.store.clone(),
            repositories: snapshot.repositories.clone(),
            installed: snapshot.installed,
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

/// The history of an environment: its snapshots, newest first, as one line each.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LogArgs {
    /// Its name or folder.
    pub env: String,
}

/// One line of a history.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogRow {
    pub snapshot: String,
    /// How long ago, in words.
    pub age: String,
    pub user: String,
    /// The run that took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    pub specs: usize,
    /// `good`, `pinned` and its tags.
    pub marks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

pub async fn log(cx: Cx, args: LogArgs) -> Result<Vec<LogRow>> {
    cx.blocking(move |cx| {
        let rows = rows(&cx, &ListArgs { env: Some(args.env), ..ListArgs::default() })?;
        let now = cx.world.clock.seconds();
        let mut out = Vec::with_capacity(rows.len());
        for row in rows.into_iter().rev() {
            let kept = if row.damaged.is_none() { Some(reference::find(&cx, &row.id)?) } else { None };
            let age = seconds(&row.created).map(|at| (now - at).max(0.0));
            let mut marks: Vec<String> = Vec::new();
            marks.extend(row.good.then(|| "good".to_owned()));
            marks.extend(row.pinned.then(|| "pinned".to_owned()));
            marks.extend(row.damaged.is_some().then(|| "damaged".to_owned()));
            marks.extend(row.tags);
            out.push(LogRow {
                snapshot: row.snapshot,
                age: age
                    .map_or_else(String::new, |s| words::span(std::time::Duration::from_secs_f64(s.floor()))),
                user: kept.as_ref().map_or_else(String::new, |k| k.snapshot.user.clone()),
                run: kept.as_ref().and_then(|k| k.snapshot.run),
                specs: row.specs,
                marks,
                description: row.description,
            });
        }
        Ok(out)
    })
    .await
}

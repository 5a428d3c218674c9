//! Which snapshots are kept: the policy `keep` is asked, guards come before it, and what no snapshot needs any more
//! is swept.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble};
use crate::policy::slots::{self, Keep};
use crate::site::Cx;
use crate::snapshot::record::row::seconds;
use crate::snapshot::store::index::{Shelf, StoredSnapshot, guarded};
use crate::snapshot::store::object::{ObjectId, Objects};
use crate::spack::drive::locks;

/// Deletes the snapshots that the policy `keep` does not want; never pinned ones, the last good one, or the newest of
/// an environment.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PruneArgs {
    /// Only of this environment: its name or folder.
    pub env: Option<String>,
    /// Keep at least so many of each environment. Default: 1.
    pub keep: Option<usize>,
    /// Refuse to delete more than this share of an environment's snapshots, in percent. Default: 100.
    pub max_percent: Option<u32>,
    /// Only tell what would go.
    pub dry_run: bool,
}

pub async fn prune(cx: Cx, args: PruneArgs) -> Result<Deleted> {
    let mut deleted = Deleted { snapshots: Vec::new(), freed: 0, dry_run: args.dry_run };
    let mut goes: Vec<StoredSnapshot> = Vec::new();
    for shelf in Shelf::all(&cx)? {
        if args.env.as_ref().is_none_or(|name| shelf.is_called(name)) {
            goes.extend(unwanted(&cx, &shelf, &args)?);
        }
    }
    if args.dry_run || goes.is_empty() {
        deleted.snapshots = goes.iter().map(|kept| kept.snapshot.title()).collect();
        return Ok(deleted);
    }
    let _turn = locks::of_state(&cx, "snapshots").await?;
    for kept in goes {
        let mut shelf = Shelf::of(&cx, &kept.snapshot.env)?;
        // Somebody may have pinned or deleted it since.
        if shelf.read(kept.snapshot.number).is_ok_and(|now| guarded(&now).is_none()) {
            shelf.remove(kept.snapshot.number).await?;
            deleted.snapshots.push(kept.snapshot.title());
        }
    }
    deleted.freed = sweep(&cx).await?;
    Ok(deleted)
}

fn unwanted(cx: &Cx, shelf: &Shelf<'_>, args: &PruneArgs) -> Result<Vec<StoredSnapshot>> {
    // Without the file nobody knows what is pinned.
    if let Some(trouble) = &shelf.problem {
        return Err(trouble.clone());
    }
    let numbers = shelf.numbers()?;
    let now = cx.world.clock.seconds();
    let objects = Objects(cx);
    let mut goes = Vec::new();
    // What came from elsewhere takes nobody's place among the newest.
    let (imported, own): (Vec<u64>, Vec<u64>) =
        numbers.iter().rev().partition(|number| shelf.is_imported(**number));
    for (rank, number) in own.iter().enumerate().chain(imported.iter().enumerate()) {
        // What cannot be read is not judged.
        let Ok(kept) = shelf.read(*number) else { continue };
        if rank < args.keep.unwrap_or(1).max(1) || guarded(&kept).is_some() {
            continue;
        }
        let facts = Keep {
            kind: slots::RecordKind::Snapshot,
            name: kept.snapshot.env.name.clone(),
            age_days: seconds(&kept.snapshot.created).map_or(0.0, |at| (now - at) / 86_400.0),
            rank: u32::try_from(rank).unwrap_or(u32::MAX),
            ok: kept.marks.good,
            exit: -1,
            pinned: kept.marks.pinned,
            last_good: kept.last_good,
            bytes: kept.snapshot.objects().into_iter().map(|id| objects.size(id)).sum(),
        };
        if !cx.ask(&facts)? {
            goes.push(kept);
        }
    }
    let share = 100 * goes.len() / numbers.len().max(1);
    let limit = args.max_percent.unwrap_or(100) as usize;
    if share > limit {
        let message = format!(
            "{} of {} snapshots of '{}' would go ({share} %), more than {limit} %",
            goes.len(),
            numbers.len(),
            shelf.env().name
        );
        return Err(Trouble::new(Kind::Refused, message).hint("`max_percent` sets how many may go at once"));
    }
    Ok(goes)
}

/// Removes the objects that no snapshot needs. Gives the bytes that this freed. Only for who has the turn: whoever
/// takes a snapshot meanwhile would have written objects that no document names yet.
pub async fn sweep(cx: &Cx) -> Result<u64> {
    let mut kept: BTreeSet<ObjectId> = BTreeSet::new();
    for shelf in Shelf::all(cx)? {
        for number in shelf.numbers()? {
            match shelf.read(number) {
                Ok(found) => kept.extend(found.snapshot.objects().into_iter().cloned()),
                // What a document needs that cannot be read is not known: nothing goes.
                Err(_) => return Ok(0),
            }
        }
    }
    Objects(cx).sweep(&kept).await
}

/// What was deleted, or would be.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Deleted {
    pub snapshots: Vec<String>,
    /// Bytes that this freed.
    pub freed: u64,
    pub dry_run: bool,
}

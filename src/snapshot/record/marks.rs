//! Tags, pins, and the deletion of single snapshots.

use schemars::JsonSchema;
use serde::Deserialize;

use super::capture::check_tag;
use super::prune::sweep;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::snapshot::record::prune::Deleted;
use crate::snapshot::record::row::SnapshotRow;
use crate::snapshot::store::index::{Marks, Shelf, guarded};
use crate::snapshot::store::reference;
use crate::world::scope::postcondition::Postcondition;
use crate::world::scope::replay;

/// Says of a snapshot what may be said of it later: tags, and that it is proven to be good.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MarkArgs {
    /// `NAME@NUMBER`, `NAME@last`, or the beginning of its id.
    pub snapshot: String,
    /// Tags to add.
    pub add: Vec<String>,
    /// Tags to take away.
    pub remove: Vec<String>,
    /// Whether the environment was proven to work in this state.
    pub good: Option<bool>,
}

pub async fn tag(cx: Cx, args: MarkArgs) -> Result<SnapshotRow> {
    for tag in &args.add {
        check_tag(tag)?;
    }
    changed(&cx, &args.snapshot, |marks| {
        marks.tags.extend(args.add);
        marks.tags.retain(|tag| !args.remove.contains(tag));
        marks.good = args.good.unwrap_or(marks.good);
    })
    .await
}

/// Keeps a snapshot until it is unpinned: it is neither deleted nor pruned.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PinArgs {
    /// `NAME@NUMBER`, `NAME@last`, or the beginning of its id.
    pub snapshot: String,
}

pub async fn pin(cx: Cx, args: PinArgs) -> Result<SnapshotRow> {
    changed(&cx, &args.snapshot, |marks| marks.pinned = true).await
}

/// Lets a pinned snapshot go with the others when its time has come.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct UnpinArgs {
    /// `NAME@NUMBER`, `NAME@last`, or the beginning of its id.
    pub snapshot: String,
}

pub async fn unpin(cx: Cx, args: UnpinArgs) -> Result<SnapshotRow> {
    changed(&cx, &args.snapshot, |marks| marks.pinned = false).await
}

async fn changed(cx: &Cx, text: &str, change: impl FnOnce(&mut Marks)) -> Result<SnapshotRow> {
    let kept = reference::find(cx, text)?;
    let (mut shelf, _turn) = Shelf::locked(cx, &kept.snapshot.env).await?;
    Ok(SnapshotRow::of(&shelf.mark(kept.snapshot.number, change).await?))
}

/// Deletes a snapshot. Pinned ones and the last good one of an environment are refused.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DeleteArgs {
    /// `NAME@NUMBER`, or the beginning of its id.
    pub snapshot: String,
    /// Only tell what would go.
    #[serde(default)]
    pub dry_run: bool,
}

pub async fn delete(cx: Cx, args: DeleteArgs) -> Result<Deleted> {
    let kept = reference::find(&cx, &args.snapshot)?;
    let removed = Deleted { snapshots: vec![kept.snapshot.title()], freed: 0, dry_run: args.dry_run };
    if let Some(why) = guarded(&kept) {
        return Err(not_deleted(&removed, why));
    }
    if args.dry_run {
        return Ok(removed);
    }
    replay::plan_result(&removed, vec![Postcondition::Absent { path: kept.file.clone() }]);
    let (mut shelf, _turn) = Shelf::locked(&cx, &kept.snapshot.env).await?;
    // Somebody may have pinned it while we waited.
    if let Some(why) = guarded(&shelf.read(kept.snapshot.number)?) {
        return Err(not_deleted(&removed, why));
    }
    shelf.remove(kept.snapshot.number).await?;
    Ok(Deleted { freed: sweep(&cx).await?, ..removed })
}

fn not_deleted(deleted: &Deleted, why: &str) -> Trouble {
    let message = format!("snapshot {} was not deleted: {why}", deleted.snapshots.concat());
    Trouble::new(Kind::Refused, message)
}

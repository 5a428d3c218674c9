//! Which generations are kept: so many of the newest, then the policy `keep`. Guards come before both.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::guards;
use super::remove::{RemoveArgs, Removed, remove};
use crate::base::{Kind, Result};
use crate::generation::series::entry::{LedgerEntry, Progress};
use crate::generation::series::ledger::Ledger;
use crate::generation::series::place::Place;
use crate::policy::slots::{self, Keep};
use crate::site::Cx;
use crate::snapshot::record::row::seconds;

/// Removes old generations, as `generation.remove` does. The newest stay; of older ones the policy `keep` of the site
/// file decides, and without it all go. Those that came to nothing, begun or broken and never published, do not count
/// and go as soon as there is a newer one. Whatever it says: pinned ones stay, and what users are on, were on within
/// the grace period, or would go back to.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PruneArgs {
    /// Name of the generations; left out, all of them.
    pub name: Option<String>,
    /// Keep at least so many of each. Default: 5.
    pub keep: Option<usize>,
    /// Uninstall nothing.
    pub keep_specs: bool,
    /// Only tell what would go.
    pub dry_run: bool,
}

/// A generation that stays.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Spared {
    pub name: String,
    pub number: u64,
    pub why: String,
}

/// What went, or would go.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Pruned {
    pub removed: Vec<Removed>,
    /// What stays, and why.
    pub kept: Vec<Spared>,
    pub dry_run: bool,
}

pub async fn prune(cx: Cx, args: PruneArgs) -> Result<Pruned> {
    let names = match &args.name {
        Some(name) => vec![Ledger::existing(&cx, name)?.place.name],
        None => Place::names(&cx)?,
    };
    let mut out = Pruned { removed: Vec::new(), kept: Vec::new(), dry_run: args.dry_run };
    for name in names {
        // Those of another Spack are for that one to prune.
        let ledger = match Ledger::ours(&cx, Place::of(&cx, &name)?) {
            Err(trouble) if trouble.is(Kind::Refused) && args.name.is_none() => {
                cx.world.say(format!("left alone: {}", trouble.message()));
                continue;
            }
            other => other?,
        };
        for (number, why) in judged(&cx, &ledger, args.keep.unwrap_or(5).max(1))? {
            let spared = |why| Spared { name: name.clone(), number, why };
            if let Some(why) = why {
                out.kept.push(spared(why));
                continue;
            }
            let asked = RemoveArgs {
                name: name.clone(),
                number,
                keep_specs: args.keep_specs,
                dry_run: args.dry_run,
                force: false,
                without: Vec::new(),
            };
            match remove(cx.clone(), asked).await {
                Ok(removed) => out.removed.push(removed),
                // Somebody may have pinned it or sent users there since.
                Err(trouble) if trouble.is(Kind::Refused) => {
                    out.kept.push(spared(trouble.message().to_owned()));
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }
    Ok(out)
}

/// Each generation, oldest first, with the reason why it stays, if there is one.
fn judged(cx: &Cx, ledger: &Ledger, keep: usize) -> Result<Vec<(u64, Option<String>)>> {
    let mut out = Vec::new();
    let mut rank = 0;
    for (place, (number, entry)) in ledger.entries().iter().rev().enumerate() {
        // What is left of it is of no use to anybody.
        if entry.removing.is_some() {
            out.push((*number, None));
            continue;
        }
        if place > 0 && came_to_nothing(ledger, *number, entry) {
            out.push((*number, guards::guard(cx, ledger, *number)?.map(|guard| guard.why)));
            continue;
        }
        let why = if rank < keep {
            Some(format!("it is one of the newest {keep}"))
        } else if let Some(guard) = guards::guard(cx, ledger, *number)? {
            Some(guard.why)
        } else if guards::is_way_back(cx, ledger, *number) {
            Some("a rollback would go to it".to_owned())
        } else {
            wanted(cx, ledger, *number, entry, rank)?
        };
        out.push((*number, why));
        rank += 1;
    }
    out.reverse();
    Ok(out)
}

/// It was never solved or could not be built, and users never saw it.
fn came_to_nothing(ledger: &Ledger, number: u64, entry: &LedgerEntry) -> bool {
    matches!(entry.progress, Progress::Begun | Progress::Broken)
        && !ledger.publications().iter().any(|publication| publication.number == number)
}

fn wanted(cx: &Cx, ledger: &Ledger, number: u64, entry: &LedgerEntry, rank: usize) -> Result<Option<String>> {
    if !cx.site.loaded.config.policy.contains_key("keep") {
        return Ok(None);
    }
    let now = cx.world.clock.seconds();
    let facts = Keep {
        kind: slots::RecordKind::Generation,
        name: ledger.place.name.clone(),
        age_days: seconds(&entry.created).map_or(0.0, |at| (now - at) / 86_400.0),
        rank: u32::try_from(rank).unwrap_or(u32::MAX),
        ok: entry.good,
        exit: -1,
        pinned: entry.pinned,
        last_good: ledger.last_good() == Some(number),
        bytes: 0,
    };
    Ok(cx.ask(&facts)?.then(|| "the policy keeps it".to_owned()))
}

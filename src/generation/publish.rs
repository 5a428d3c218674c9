//! Moves users: one link, one rename. Going back is the same rename to another number.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prove::{self, Depth};
use crate::base::{Kind, Result, Trouble};
use crate::generation::series::entry::{LedgerEntry, Progress};
use crate::generation::series::ledger::Ledger;
use crate::generation::series::place::Place;
use crate::generation::series::ready;
use crate::site::Cx;
use crate::spack::change::around::share;
use crate::world::Action;
use crate::world::scope::postcondition::Postcondition;
use crate::world::scope::replay;

/// Makes a proven generation the one that users are on.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PublishArgs {
    /// Name of the generations.
    pub name: String,
    /// Which one; left out, the newest that is proven.
    pub number: Option<u64>,
}

/// Sends users back to an older generation. It needs no space, no state folder that can be written to, and none of the
/// locks that somebody else may hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RollbackArgs {
    /// Name of the generations.
    pub name: String,
    /// Which one. Left out, the last one that is known to be good and that users are not on.
    pub to: Option<u64>,
    /// Although it is broken, not proven, or not whole.
    pub force: bool,
}

/// Where users are now.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Published {
    pub name: String,
    pub number: u64,
    /// What they were on before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// The link that they follow.
    pub link: PathBuf,
    /// Why the move is not on record yet; whoever works on these generations next records it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrecorded: Option<String>,
    pub seconds: f64,
}

pub async fn publish(cx: Cx, args: PublishArgs) -> Result<Published> {
    let (mut ledger, turn) = Ledger::locked(&cx, &args.name).await?;
    let number = match args.number {
        Some(number) => number,
        None => ledger.newest(Progress::Proven).ok_or_else(|| {
            Trouble::new(Kind::NotFound, format!("'{}' has no generation that is proven", args.name))
                .hint(format!("moonstack generation prove {}", args.name))
        })?,
    };
    if let Some(why) = unfit(&ledger, number)? {
        let name = &args.name;
        return Err(Trouble::new(Kind::Refused, format!("generation {number} of '{name}' {why}")).hint(
            match ledger.entry(number)?.removing {
                Some(_) => {
                    format!("moonstack generation build {name} --number {number} installs what is missing")
                }
                None => format!("moonstack generation prove {name} --number {number}"),
            },
        ));
    }
    whole(&cx, &ledger, number).await?;
    point(&cx, &mut ledger, number, turn.is_some()).await
}

pub async fn rollback(cx: Cx, args: RollbackArgs) -> Result<Published> {
    let (mut ledger, turn) = Ledger::locked_soon(&cx, &args.name).await?;
    // A link that somebody has broken must not keep users from going back.
    let current = ledger.place.current(&cx).unwrap_or(None);
    let number = match args.to {
        Some(number) => number,
        None => target(&ledger, current).ok_or_else(|| {
            Trouble::new(
                Kind::NotFound,
                format!("'{}' has no other generation that is known to be good", args.name),
            )
            .hint("`to` takes the number of any generation; `moonstack generation list` shows them")
        })?,
    };
    let name = &args.name;
    match unfit(&ledger, number)? {
        Some(why) if args.force && !is_going(&ledger, number) => {
            cx.world.warn(format!("generation {number} of '{name}' {why}"));
        }
        Some(why) => {
            let message = format!("users were not moved: generation {number} of '{name}' {why}");
            return Err(Trouble::new(Kind::Refused, message)
                .hint(format!("moonstack generation prove {name} --number {number} looks again"))
                .hint("--force sends them there all the same, unless it is being removed"));
        }
        None => {}
    }
    match whole(&cx, &ledger, number).await {
        Err(trouble) if args.force && !trouble.is(Kind::Cancelled) => cx.world.warn(trouble.message()),
        other => other.map_err(|trouble| trouble.hint("--force sends them there all the same"))?,
    }
    point(&cx, &mut ledger, number, turn.is_some()).await
}

/// Why users are not sent to a generation, by what is on record of it.
fn unfit(ledger: &Ledger, number: u64) -> Result<Option<String>> {
    let entry = ledger.entry(number)?;
    let why = entry.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    Ok(match entry.progress {
        _ if entry.removing.is_some() => Some(format!("is being removed, or was removed in part{why}")),
        Progress::Proven => None,
        Progress::Broken => Some(format!("is broken{why}")),
        _ => Some(format!("is not proven{why}")),
    })
}

/// Looks at what users would find there.
async fn whole(cx: &Cx, ledger: &Ledger, number: u64) -> Result<()> {
    let proof = prove::look(cx, ledger, number, Depth::Places).await?;
    let Some(problem) = proof.problems.first() else { return Ok(()) };
    let name = &ledger.place.name;
    Err(Trouble::new(
        Kind::Refused,
        format!("users were not moved: generation {number} of '{name}' is not whole: {problem}"),
    )
    .hint(format!("moonstack generation build {name} --number {number} installs what is missing"))
    .fact("problems", proof.problems))
}

/// The last good one that users are not on, and without one what they were on before.
pub fn target(ledger: &Ledger, current: Option<u64>) -> Option<u64> {
    let is_good = |entry: &LedgerEntry| entry.good && entry.removing.is_none();
    let good = ledger.entries().iter().rev().find(|(n, entry)| is_good(entry) && Some(**n) != current);
    good.map(|(number, _)| *number).or_else(|| ledger.previous(current?))
}

async fn point(cx: &Cx, ledger: &mut Ledger, number: u64, has_lock: bool) -> Result<Published> {
    let begun = std::time::Instant::now();
    let place = ledger.place.clone();
    let before = place.current(cx).unwrap_or(None);
    let mut done = Published {
        name: place.name.clone(),
        number,
        before,
        link: place.link.clone(),
        unrecorded: None,
        seconds: begun.elapsed().as_secs_f64(),
    };
    if before != Some(number) {
        if let Some(folder) = place.link.parent().filter(|folder| !cx.world.eyes.finds_folder(folder)) {
            cx.world.perform(Action::MakeFolder { path: folder.to_owned() }).await?;
            share::folders(cx, vec![folder.to_owned()]).await?;
        }
        let target = place.target(number);
        replay::plan_result(&done, vec![Postcondition::Link { path: place.link.clone(), target }]);
        lead(cx, &place, number).await?;
        // A removal marks the generation and then looks at the link; this is the other way round, so that one of the two
        // sees the other.
        if Ledger::read(cx, place.clone()).is_ok_and(|now| is_going(&now, number)) {
            if let Some(before) = before {
                lead(cx, &place, before).await?;
            }
            let message =
                format!("users were not moved: generation {number} of '{}' is being removed", place.name);
            return Err(Trouble::new(Kind::Refused, message));
        }
    }
    // What users see from now on, seen as they see it.
    let manifest = place.link.join("spack.yaml");
    if place.current(cx)? != Some(number) || !cx.world.eyes.is_file(&manifest)? {
        let message = format!("{} does not lead to generation {number}", place.link.display());
        return Err(Trouble::new(Kind::NotDone, message));
    }
    if before != Some(number) {
        done.unrecorded = record(cx, ledger, number, before, has_lock).await;
        if let Some(why) = &done.unrecorded {
            cx.world.warn(format!("users were moved, but that is not on record yet: {why}"));
        }
    }
    ready::make(cx, ledger).await;
    Ok(Published { seconds: begun.elapsed().as_secs_f64(), ..done })
}

async fn lead(cx: &Cx, place: &Place, number: u64) -> Result<()> {
    let (path, target) = (place.link.clone(), place.target(number));
    let ready = Some(ready::link(place, number));
    cx.world.perform(Action::PointLink { path, target, ready }).await.map(drop)
}

fn is_going(ledger: &Ledger, number: u64) -> bool {
    ledger.entries().get(&number).is_some_and(|entry| entry.removing.is_some())
}

/// Puts a move on record; that it cannot be must not undo it.
async fn record(
    cx: &Cx,
    ledger: &mut Ledger,
    number: u64,
    before: Option<u64>,
    has_lock: bool,
) -> Option<String> {
    if !has_lock && !cx.world.hands.pretends() {
        return Some("the lock could not be had".to_owned());
    }
    ledger.published(cx, number, before).await.err().map(|trouble| trouble.message().to_owned())
}

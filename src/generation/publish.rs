//! Moves users: one link, one rename. Going back is the same rename to another number.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prove::{self, Depth};
use crate::base::{Kind, Result, Trouble};
use crate::generation::series::ledger::{Ledger, Progress};
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

/// Sends users back to an older generation.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RollbackArgs {
    /// Name of the generations.
    pub name: String,
    /// Which one. Left out, the last one that is known to be good and that users are not on.
    pub to: Option<u64>,
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
    pub seconds: f64,
}

pub async fn publish(cx: Cx, args: PublishArgs) -> Result<Published> {
    let (mut ledger, _turn) = Ledger::locked(&cx, &args.name).await?;
    let number = match args.number {
        Some(number) => number,
        None => ledger.newest(Progress::Proven).ok_or_else(|| {
            Trouble::new(Kind::NotFound, format!("'{}' has no generation that is proven", args.name))
                .hint(format!("moonstack generation prove {}", args.name))
        })?,
    };
    let entry = ledger.entry(number)?;
    if entry.progress != Progress::Proven {
        let why = entry.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
        return Err(Trouble::new(
            Kind::Refused,
            format!("generation {number} of '{}' is not proven{why}", args.name),
        )
        .hint(format!("moonstack generation prove {} --number {number}", args.name)));
    }
    point(&cx, &mut ledger, number).await
}

pub async fn rollback(cx: Cx, args: RollbackArgs) -> Result<Published> {
    let (mut ledger, _turn) = Ledger::locked(&cx, &args.name).await?;
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
    let proof = prove::look(&cx, &ledger, number, Depth::Places).await?;
    if let Some(problem) = proof.problems.first() {
        return Err(Trouble::new(
            Kind::Refused,
            format!("users were not moved: generation {number} of '{}' is not whole: {problem}", args.name),
        )
        .hint(format!("moonstack generation build {} --number {number} installs what is missing", args.name))
        .fact("problems", proof.problems));
    }
    point(&cx, &mut ledger, number).await
}

/// The last good one that users are not on, and without one what they were on before.
pub fn target(ledger: &Ledger, current: Option<u64>) -> Option<u64> {
    let good = ledger.entries().iter().rev().find(|(number, entry)| entry.good && Some(**number) != current);
    good.map(|(number, _)| *number).or_else(|| ledger.previous(current?))
}

async fn point(cx: &Cx, ledger: &mut Ledger, number: u64) -> Result<Published> {
    let begun = std::time::Instant::now();
    let place = ledger.place.clone();
    let before = place.current(cx).unwrap_or(None);
    let target = place.target(number);
    if before != Some(number) {
        if let Some(folder) = place.link.parent().filter(|folder| !cx.world.eyes.finds_folder(folder)) {
            cx.world.perform(Action::MakeFolder { path: folder.to_owned() }).await?;
            share::folders(cx, vec![folder.to_owned()]).await?;
        }
        let promised = Published {
            name: place.name.clone(),
            number,
            before,
            link: place.link.clone(),
            seconds: begun.elapsed().as_secs_f64(),
        };
        replay::plan_result(
            &promised,
            vec![Postcondition::Link { path: place.link.clone(), target: target.clone() }],
        );
        cx.world.perform(Action::PointLink { path: place.link.clone(), target }).await?;
    }
    // What users see from now on, seen as they see it.
    let manifest = place.link.join("spack.yaml");
    if place.current(cx)? != Some(number) || !cx.world.eyes.is_file(&manifest)? {
        let message = format!("{} does not lead to generation {number}", place.link.display());
        return Err(Trouble::new(Kind::NotDone, message));
    }
    if before != Some(number) {
        ledger.published(cx, number, before).await?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ok(Published { name: place.name, number, before, link: place.link, seconds })
}

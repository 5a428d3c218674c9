//! Generations that were another Spack's become those of this one, where it has replaced the other.

use schemars::JsonSchema;
use serde::Deserialize;

use super::prove::{self, Depth};
use super::show::{GenerationRow, row};
use crate::base::{Kind, Result, Trouble};
use crate::generation::series::entry::Progress;
use crate::generation::series::ledger::Ledger;
use crate::generation::series::place::Place;
use crate::generation::series::track::track;
use crate::site::Cx;
use crate::spack::drive::locks;

/// Takes over the generations of another Spack, which this one has replaced: with the same store, or with one that has
/// the same packages. What users are on must be whole as this Spack sees it. This Spack then has them in its list, so
/// that its garbage collection spares what they need.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ClaimArgs {
    /// Name of the generations.
    pub name: String,
}

pub async fn claim(cx: Cx, args: ClaimArgs) -> Result<Vec<GenerationRow>> {
    Ledger::existing(&cx, &args.name)?;
    let _turn = locks::named(&cx, &Ledger::turn(&args.name)).await?;
    let mut ledger = Ledger::read(&cx, Place::of(&cx, &args.name)?)?;
    let current = ledger.place.current(&cx)?;
    if let Some(number) = current {
        let proof = prove::look(&cx, &ledger, number, Depth::Places).await?;
        if let Some(problem) = proof.problems.first() {
            let message = format!(
                "the generations of '{}' were not taken over: generation {number}, which users are on, is not whole \
                 for this Spack: {problem}",
                args.name
            );
            return Err(Trouble::new(Kind::Refused, message).fact("problems", proof.problems));
        }
    }
    let kept = ledger.entries().iter().filter(|(_, e)| e.progress >= Progress::Built && e.removing.is_none());
    for number in kept.map(|(number, _)| *number).collect::<Vec<_>>() {
        track(&cx, &ledger.place, number).await?;
    }
    ledger.claim(&cx).await?;
    Ok(ledger.entries().iter().map(|(number, entry)| row(&ledger, *number, current, entry)).collect())
}

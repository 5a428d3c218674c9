//! Keeps a generation for good, until somebody says otherwise.

use schemars::JsonSchema;
use serde::Deserialize;

use super::show::{GenerationRow, row};
use crate::base::{Kind, Result, Trouble};
use crate::generation::series::ledger::Ledger;
use crate::site::Cx;

/// Keeps a generation until it is unpinned: nothing removes it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct PinArgs {
    /// Name of the generations.
    pub name: String,
    /// Which one; left out, the one that users are on.
    pub number: Option<u64>,
}

/// Lets a generation be removed again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct UnpinArgs {
    /// Name of the generations.
    pub name: String,
    /// Which one; left out, the one that users are on.
    pub number: Option<u64>,
}

pub async fn pin(cx: Cx, args: PinArgs) -> Result<GenerationRow> {
    set(&cx, &args.name, args.number, true).await
}

pub async fn unpin(cx: Cx, args: UnpinArgs) -> Result<GenerationRow> {
    set(&cx, &args.name, args.number, false).await
}

async fn set(cx: &Cx, name: &str, number: Option<u64>, pinned: bool) -> Result<GenerationRow> {
    // Whose name is mistyped is told so before a lock is made for it.
    Ledger::existing(cx, name)?;
    let (mut ledger, _turn) = Ledger::locked(cx, name).await?;
    let current = ledger.place.current(cx)?;
    let number = number.or(current).ok_or_else(|| {
        Trouble::new(Kind::NotFound, format!("users are on no generation of '{name}'"))
            .hint("give the number of one; `moonstack generation list` shows them")
    })?;
    if ledger.entry(number)?.pinned != pinned {
        ledger.change(cx, number, |entry| entry.pinned = pinned).await?;
    }
    Ok(row(&ledger, number, current, ledger.entry(number)?))
}

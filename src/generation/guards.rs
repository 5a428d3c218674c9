//! Which generations nobody may remove: what users are on or would go back to, what is pinned, and, for a while, what
//! users were on: jobs that run keep their tree, and clients of NFS go on for some time with the names that they know.

use super::publish;
use crate::base::{Result, words};
use crate::generation::series::ledger::Ledger;
use crate::site::Cx;
use crate::snapshot::record::row::seconds;

/// Why a generation stays.
pub struct Guard {
    pub why: String,
    /// It is only the grace period, which somebody who knows that nothing runs may end.
    pub grace: bool,
}

pub fn guard(cx: &Cx, ledger: &Ledger, number: u64) -> Result<Option<Guard>> {
    let entry = ledger.entry(number)?;
    let current = ledger.place.current(cx)?;
    if entry.removing.is_some() && current != Some(number) {
        return Ok(None);
    }
    let firm = |why: &str| Some(Guard { why: why.to_owned(), grace: false });
    Ok(if current == Some(number) {
        firm("users are on it")
    } else if entry.pinned {
        firm("it is pinned")
    } else if ledger.last_good() == Some(number) {
        firm("it is the last one that is known to be good")
    } else {
        recent(cx, ledger, number).map(|why| Guard { why, grace: true })
    })
}

/// What a rollback would go to stays where nobody asks for its removal by number.
pub fn is_way_back(cx: &Cx, ledger: &Ledger, number: u64) -> bool {
    publish::target(ledger, ledger.place.current(cx).unwrap_or(None)) == Some(number)
}

/// What is said of a generation that users were on until lately.
fn recent(cx: &Cx, ledger: &Ledger, number: u64) -> Option<String> {
    let left = ledger.left(number)?;
    let grace = cx.site.grace();
    let over = seconds(left)? + grace.as_secs_f64() - cx.world.clock.seconds();
    let still = std::time::Duration::try_from_secs_f64(over.ceil()).ok().filter(|still| !still.is_zero())?;
    Some(format!(
        "users were on it until {left}, and programs may still run from it (for {} more, of {})",
        words::span(still),
        words::span(grace)
    ))
}

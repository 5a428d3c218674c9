//! Which environments a series of generations has been in, for those who look for something by its name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::ledger::Ledger;
use super::place::Place;
use crate::site::Cx;

/// The folders of the generations of that name, and of what the first was adopted from, each with its number. Those
/// of removed generations count: their snapshots are history, too.
pub fn folders(cx: &Cx, name: &str) -> BTreeMap<PathBuf, u64> {
    let mut out = BTreeMap::new();
    let Some(place) = Place::of(cx, name).ok() else { return out };
    // A damaged ledger keeps nobody from the snapshots.
    let Ok(ledger) = Ledger::read(cx, place) else { return out };
    if ledger.last() == 0 {
        return out;
    }
    out.extend((1..=ledger.last()).map(|number| (ledger.place.generation(number), number)));
    if let Some(first) = ledger.entries().get(&1) {
        out.entry(PathBuf::from(&first.from)).or_insert(1);
    }
    out
}

//! Links that stand ready beside the one of users, one for each generation that they could be sent to: going there is
//! one rename then, which needs no space.

use std::path::PathBuf;

use super::entry::Progress;
use super::ledger::Ledger;
use super::place::Place;
use crate::site::Cx;
use crate::world::Action;

/// The one that leads to a generation.
pub fn link(place: &Place, number: u64) -> PathBuf {
    place.link.with_file_name(format!(".{}.{number}", place.name))
}

/// Makes those that are missing. Without them going back works as long as there is space.
pub async fn make(cx: &Cx, ledger: &Ledger) {
    let place = &ledger.place;
    for (number, entry) in ledger.entries() {
        let (path, target) = (link(place, *number), place.target(*number));
        let is_there = cx.world.eyes.read_link(&path).is_ok_and(|now| now == target);
        if is_there || entry.progress != Progress::Proven || entry.removing.is_some() {
            continue;
        }
        if let Err(trouble) = cx.world.keep(Action::PointLink { path, target, ready: None }).await {
            cx.world.warn(format!("no link stands ready for generation {number}: {}", trouble.message()));
            return;
        }
    }
}

/// Takes away that of a generation which is removed.
pub async fn drop(cx: &Cx, place: &Place, number: u64) {
    let path = link(place, number);
    if cx.world.eyes.lstat(&path).is_ok() {
        // It leads nowhere then, and the check `generations` tells of it.
        let _ = cx.world.keep(Action::RemovePath { path }).await;
    }
}

//! What there is of generations beside their ledger: folders that it does not name, because it was lost or an older one
//! was put back, and the numbers that somebody has had.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use super::place::{FILE, Place};
use crate::base::Result;
use crate::site::Cx;
use crate::snapshot::store::index::Shelf;
use crate::spack::drive::session::Scope;
use crate::world::fs::real::is_same_path;

/// A generation that has a folder and no entry.
pub struct Unlisted {
    pub number: u64,
    /// When its manifest was written last.
    pub written: SystemTime,
    pub has_lock: bool,
}

pub fn generations<T>(cx: &Cx, place: &Place, known: &BTreeMap<u64, T>) -> Result<Vec<Unlisted>> {
    let eyes = &*cx.world.eyes;
    let mut out = Vec::new();
    for name in names(cx, place)? {
        let Some(number) = number(&name).filter(|number| !known.contains_key(number)) else { continue };
        let folder = place.folder.join(&name);
        let manifest = folder.join("spack.yaml");
        if eyes.is_file(&manifest)? {
            let written = eyes.stat(&manifest)?.modified;
            out.push(Unlisted { number, written, has_lock: eyes.is_file(&folder.join("spack.lock"))? });
        }
    }
    Ok(out)
}

/// The names beside the generations that are none of ours.
pub fn foreign(cx: &Cx, place: &Place) -> Result<Vec<String>> {
    let is_ours = |name: &str| name == FILE || name.starts_with('.') || number(name).is_some();
    Ok(names(cx, place)?.into_iter().filter(|name| !is_ours(name)).collect())
}

/// The highest number that is to be seen anywhere: in folders, in Spack's list, of snapshots, in the link of users.
pub fn highest_number(cx: &Cx, place: &Place) -> Result<u64> {
    let eyes = &*cx.world.eyes;
    let mut numbers: Vec<u64> = names(cx, place)?.iter().filter_map(|name| number(name)).collect();
    let tracked = Scope::open(cx, None)?.config.environments_root()?.path;
    if eyes.is_folder(&tracked)? {
        let prefix = format!("{}-g", place.name);
        let own = |name: String| name.strip_prefix(&prefix).and_then(number);
        numbers.extend(eyes.list(&tracked)?.into_iter().filter_map(own));
    }
    for shelf in Shelf::all(cx)? {
        let path = &shelf.env().path;
        if path.parent().is_some_and(|parent| is_same_path(eyes, parent, &place.folder)) {
            numbers.extend(last(path));
        }
    }
    if let Ok(target) = eyes.read_link(&place.link) {
        numbers.extend(last(&target));
    }
    Ok(numbers.into_iter().max().unwrap_or(0))
}

fn last(path: &Path) -> Option<u64> {
    path.file_name().and_then(|name| name.to_str()).and_then(number)
}

/// A number as we write it.
fn number(name: &str) -> Option<u64> {
    name.parse().ok().filter(|number: &u64| number.to_string() == name)
}

fn names(cx: &Cx, place: &Place) -> Result<Vec<String>> {
    let eyes = &*cx.world.eyes;
    if eyes.is_folder(&place.folder)? { eyes.list(&place.folder) } else { Ok(Vec::new()) }
}

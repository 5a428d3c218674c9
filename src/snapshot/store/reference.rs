//! How a snapshot is named: `science@3`, `science@last`, `science@good`, `science` for its last one, or the beginning
//! of its id.

use super::index::{Shelf, StoredSnapshot};
use crate::base::nearest::nearest;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;

/// Beginnings of ids that are shorter are not looked for.
const SHORTEST: usize = 4;

/// The one snapshot that `text` names.
pub fn find(cx: &Cx, text: &str) -> Result<StoredSnapshot> {
    let shelves = Shelf::all(cx)?;
    let (name, which) = match text.rsplit_once('@') {
        Some((name, which)) => (name, Some(which)),
        None => (text, None),
    };
    let mut named: Vec<&Shelf<'_>> = shelves.iter().filter(|s| s.is_called(name)).collect();
    // What was taken in from another site must not change what a name means here.
    if named.iter().any(|shelf| !shelf.is_foreign()) {
        named.retain(|shelf| !shelf.is_foreign() || shelf.is_at(std::path::Path::new(name)));
    }
    match named.as_slice() {
        [shelf] => chosen(shelf, which.unwrap_or("last")),
        [] if which.is_none() => by_id(&shelves, text),
        [] => Err(unknown(&shelves, text)),
        several => {
            let paths: Vec<String> = several.iter().map(|s| s.env().path.display().to_string()).collect();
            Err(Trouble::new(
                Kind::Ambiguous,
                format!("several environments with snapshots are called '{name}'"),
            )
            .hint(format!("give the folder: {}", paths.join(" or "))))
        }
    }
}

fn chosen(shelf: &Shelf<'_>, which: &str) -> Result<StoredSnapshot> {
    let name = &shelf.env().name;
    let none =
        |what: &str| Trouble::new(Kind::NotFound, format!("environment '{name}' has no {what} snapshot"));
    let number = match which {
        "last" => shelf.last()?.ok_or_else(|| none("last"))?,
        "good" => shelf.last_good().ok_or_else(|| {
            none("good").hint("`moonstack snapshot tag NAME@N --good` says that one is proven")
        })?,
        text => text.parse().map_err(|_| {
            Trouble::usage(format!("'{text}' is no number of a snapshot"))
                .hint(format!("write {name}@3, {name}@last or {name}@good"))
        })?,
    };
    shelf.read(number)
}

fn by_id(shelves: &[Shelf<'_>], text: &str) -> Result<StoredSnapshot> {
    let is_hex = text.len() >= SHORTEST && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex {
        return Err(unknown(shelves, text));
    }
    let mut found: Vec<StoredSnapshot> = Vec::new();
    for shelf in shelves {
        for number in shelf.numbers()? {
            // A damaged one cannot be meant; `verify` tells of it.
            found.extend(shelf.read(number).ok().filter(|kept| kept.id.starts_with(&text.to_lowercase())));
        }
    }
    match (found.pop(), found.as_slice()) {
        (Some(kept), []) => Ok(kept),
        (Some(kept), others) => {
            let all = std::iter::once(&kept).chain(others);
            let names: Vec<String> = all
                .map(|k| format!("{} ({})", k.id.get(..12).unwrap_or(&k.id), k.snapshot.title()))
                .collect();
            Err(Trouble::new(
                Kind::Ambiguous,
                format!("several snapshots have an id that begins with '{text}'"),
            )
            .hint(format!("they are {}", names.join(", "))))
        }
        (None, _) => Err(unknown(shelves, text)),
    }
}

fn unknown(shelves: &[Shelf<'_>], text: &str) -> Trouble {
    let trouble = Trouble::new(Kind::NotFound, format!("there is no snapshot '{text}'"));
    let name = text.split('@').next().unwrap_or(text);
    match nearest(name, shelves.iter().map(|s| s.env().name.as_str())) {
        Some(near) => trouble.hint(format!("did you mean '{near}'? `moonstack snapshot list` shows all")),
        None => trouble.hint("`moonstack snapshot list` shows all of them"),
    }
}

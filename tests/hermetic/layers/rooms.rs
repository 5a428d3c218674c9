//! The order within each room: the folder's `mod.rs` draws its parts, and a line that runs against it is named. What
//! `mod.rs` itself holds stands above its parts, unless the picture has a part `mod`.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::{self, Picture};
use super::source;

/// Rooms whose parts are a list, one idea a file, known to each other only through it.
const LISTS: &[&str] = &["check/checks"];

/// How many files are still seen at a glance.
pub const FILES: usize = 16;

/// All files of the crate by the module that each is.
pub struct House<'a> {
    files: BTreeMap<String, (&'a str, &'a str)>,
    /// What a `mod.rs` gives another name to: `crate::world::Eyes` is `crate::world::fs::eyes::Eyes`.
    aliases: BTreeMap<String, String>,
    rooms: BTreeMap<String, Option<Picture>>,
}

/// `spack/store/row.rs` is `crate::spack::store::row`.
fn module(file: &str) -> String {
    let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
    format!("crate::{}", stem.replace('/', "::"))
}

/// A path and what it is within, longest first.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| path.rsplit_once("::").map(|(before, _)| before))
}

impl<'a> House<'a> {
    pub fn of(files: &'a [(String, String)]) -> House<'a> {
        let by_module: BTreeMap<String, (&str, &str)> = files
            .iter()
            .filter(|(file, _)| !matches!(file.as_str(), "lib.rs" | "main.rs"))
            .map(|(file, text)| (module(file), (file.as_str(), text.as_str())))
            .collect();
        let mut aliases = BTreeMap::new();
        let mut rooms = BTreeMap::new();
        for (module, (file, text)) in &by_module {
            if file.ends_with("/mod.rs") {
                rooms.insert(module.clone(), picture::of(text));
                for (name, path) in source::exported(file, text) {
                    aliases.insert(format!("{module}::{name}"), path);
                }
            }
        }
        House { files: by_module, aliases, rooms }
    }

    /// The module that a path leads into, other names followed.
    fn target(&self, path: &str) -> Option<String> {
        let mut path = path.to_owned();
        for _ in 0..4 {
            let known = prefixes(&path).find_map(|prefix| Some((prefix, self.aliases.get(prefix)?)));
            let Some((prefix, real)) = known else { break };
            path = format!("{real}{}", &path[prefix.len()..]);
        }
        prefixes(&path).find(|prefix| self.files.contains_key(*prefix)).map(str::to_owned)
    }

    /// The lines of a file that run against the order of a room.
    pub fn broken(&self, file: &str, text: &str) -> Vec<String> {
        let from = module(file);
        let mut bad = BTreeSet::new();
        for named in source::names(file, text) {
            let mut path = named.path.replacen("moonstack::", "crate::", 1);
            // A child that `mod.rs` calls by its name.
            let child = format!("{from}::{path}");
            if !path.starts_with("crate::") && self.target(&child).is_some_and(|target| target != from) {
                path = child;
            }
            if !path.starts_with("crate::") {
                continue;
            }
            let Some(to) = self.target(&path).filter(|to| *to != from) else { continue };
            let Some((room, a, b)) = self.meet(&from, &to) else { continue };
            // A room by its name alone; what is taken from it is followed.
            if b == "mod" && path == to {
                continue;
            }
            if let Some(Some(picture)) = self.rooms.get(&room) {
                let allowed = match picture.may.get(&a) {
                    Some(may) => may.contains(&b),
                    None => a == "mod",
                };
                if !allowed {
                    let line = named.line;
                    let room = room.trim_start_matches("crate::").replace("::", "/");
                    bad.insert(format!(
                        "src/{file}:{line}: in {room}, {a} may not use {b} ({path}); see src/{room}/mod.rs"
                    ));
                }
            }
        }
        bad.into_iter().collect()
    }

    /// The innermost room that both are in, and the parts of it that they are in.
    fn meet(&self, from: &str, to: &str) -> Option<(String, String, String)> {
        let room = prefixes(from)
            .filter(|room| self.rooms.contains_key(*room))
            .find(|room| to == *room || to.starts_with(&format!("{room}::")))?;
        let part = |of: &str| match of.strip_prefix(room).and_then(|rest| rest.strip_prefix("::")) {
            Some(rest) => rest.split("::").next().unwrap_or(rest).to_owned(),
            None => "mod".to_owned(),
        };
        let (a, b) = (part(from), part(to));
        (a != b).then(|| (room.to_owned(), a, b))
    }

    /// Rooms without words or a picture, parts that no picture has, and parts in a picture that are not there.
    pub fn undrawn(&self) -> Vec<String> {
        let mut bad = Vec::new();
        for (room, picture) in &self.rooms {
            let (file, text) = self.files[room];
            if !text.starts_with("//! ") {
                bad.push(format!("src/{file} does not begin with what the room is for"));
            }
            let name = room.trim_start_matches("crate::").replace("::", "/");
            let mut parts: BTreeSet<&str> = self
                .files
                .keys()
                .filter_map(|module| module.strip_prefix(room.as_str())?.strip_prefix("::"))
                .filter_map(|rest| rest.split("::").next())
                .collect();
            if parts.len() < 2 || LISTS.contains(&name.as_str()) {
                continue;
            }
            let Some(picture) = picture else {
                bad.push(format!("src/{file} has no picture of the order of its parts"));
                continue;
            };
            for part in &parts {
                if !picture.may.contains_key(*part) {
                    bad.push(format!("src/{file}: '{part}' has no place in the picture"));
                }
            }
            parts.insert("mod");
            for drawn in picture.may.keys() {
                if !parts.contains(drawn.as_str()) && !picture.planned.contains(drawn) {
                    bad.push(format!("src/{file}: '{drawn}' is drawn, but is not there"));
                }
            }
        }
        bad
    }

    /// Rooms with more files at one level than are seen at a glance.
    pub fn crowded(&self) -> Vec<String> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (file, _) in self.files.values() {
            if let Some((folder, _)) = file.rsplit_once('/') {
                *counts.entry(folder).or_default() += 1;
            }
        }
        counts
            .into_iter()
            .filter(|(folder, count)| *count > FILES && !LISTS.contains(folder))
            .map(|(folder, count)| format!("src/{folder} has {count} files at one level"))
            .collect()
    }
}

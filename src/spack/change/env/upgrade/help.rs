//! What helps where an upgrade has no solution: the package that was meant, and where its versions are listed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::asks::Asks;
use crate::base::nearest::nearest;
use crate::base::{Kind, Trouble};
use crate::spack::drive::session::Scope;
use crate::spack::store::recipes::recipe_of;
use crate::world::Eyes;

/// The trouble, with hints about what was asked for.
pub fn helped(eyes: &dyn Eyes, scope: &Scope, asks: &Asks, trouble: Trouble) -> Trouble {
    // Where recipes cannot be read, nothing is said of them.
    let folders = scope.config.recipe_folders(eyes);
    let Some(folders) = folders.ok().filter(|_| trouble.is(Kind::Concretization)) else { return trouble };
    asks.specs.iter().fold(trouble, |trouble, (name, spec)| {
        if let Some(recipe) = folders.iter().find_map(|folder| recipe_of(eyes, folder, name)) {
            let text = eyes.read_text(&recipe).unwrap_or_default();
            let asked = spec.versions.to_string();
            let version = asked.trim_start_matches('=');
            // A range, and a version that the recipe names, may well be known.
            return if spec.versions.is_any() || asked.contains([':', ',']) || text.contains(version) {
                trouble
            } else {
                trouble
                    .hint(format!("`spack versions --safe {name}` lists the versions that this Spack knows"))
            };
        }
        let known = packages(eyes, &folders);
        match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => trouble.hint(format!("no repository has '{name}'; did you mean '{near}'?")),
            None => trouble,
        }
    })
}

/// The packages of these repositories. Since 1.0 their folders are named as Python modules are.
fn packages(eyes: &dyn Eyes, folders: &[PathBuf]) -> BTreeSet<String> {
    let names = folders.iter().filter_map(|folder| eyes.list(&folder.join("packages")).ok()).flatten();
    names.map(|name| name.trim_start_matches('_').replace('_', "-")).collect()
}

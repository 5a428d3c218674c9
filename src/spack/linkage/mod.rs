//! Whether the programs and libraries of installed prefixes find what they need, as the loader would look for it:
//! each library is there, is whole, is of the same kind, and has the versions that are asked of it. What a user's
//! `LD_LIBRARY_PATH` would add is left out, and so are libraries that programs open by themselves while they run.
//!
//! ```text
//! resolve → search → { allowed, elf ↔ versions } → { system, blocks, files }
//! ```

pub mod allowed;
mod blocks;
pub mod elf;
mod files;
pub mod resolve;
mod search;
mod system;
mod versions;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::world::Eyes;
use files::Files;
use resolve::Role;
pub use resolve::{How, Lack};
use search::{Opened, Search};
use system::System;

/// Looks at prefix after prefix, and remembers what it has read.
pub struct Linkage<'e> {
    search: Search<'e>,
    files: Files<'e>,
    told: HashSet<(PathBuf, Option<String>)>,
    /// Programs and libraries that were followed.
    pub followed: usize,
}

/// What was found in a prefix.
#[derive(Debug, Default)]
pub struct LinkageResult {
    /// Each need once, whatever leads to it.
    pub lacks: Vec<Lack>,
    /// Folders that could not be looked at.
    pub troubles: Vec<String>,
}

impl<'e> Linkage<'e> {
    pub fn new(eyes: &'e dyn Eyes) -> Linkage<'e> {
        Linkage {
            search: Search::new(eyes, System::read(eyes)),
            files: Files::new(eyes),
            told: HashSet::new(),
            followed: 0,
        }
    }

    pub fn look(&mut self, prefix: &Path) -> LinkageResult {
        let held = self.files.of(prefix);
        let mut lacks = Vec::new();
        for path in &held.files {
            for lack in self.of_file(path, &held.libraries) {
                if self.told.insert((lack.file.clone(), lack.needs.clone())) {
                    lacks.push(lack);
                }
            }
        }
        LinkageResult { lacks, troubles: held.troubles }
    }

    fn of_file(&mut self, path: &Path, package: &HashMap<String, PathBuf>) -> Vec<Lack> {
        let why = match self.search.open(path) {
            Opened::Object(object) => {
                self.followed += 1;
                let is_program = object.interpreter.is_some() || !object.shared;
                // A library that can be started, as the C library, is a library all the same.
                let role =
                    if is_program && !is_library(path) { Role::Started } else { Role::LoadedWith(package) };
                return resolve::lacks(&mut self.search, path, &object, role);
            }
            Opened::Damaged(why) => why.to_string(),
            Opened::Foreign { blank: true } if is_library(path) => search::BLANK.to_owned(),
            Opened::Foreign { .. } | Opened::Apart | Opened::Absent | Opened::Unreadable => {
                return Vec::new();
            }
        };
        let how = How::Damaged(path.to_owned(), why);
        vec![Lack { file: path.to_owned(), needs: None, how, foreign: false }]
    }
}

/// By its name: `libz.so`, `libz.so.1.3`.
fn is_library(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with("lib")
        && name.split_once(".so").is_some_and(|(_, rest)| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests;

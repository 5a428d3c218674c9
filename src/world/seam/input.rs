//! What a plan was made from. When one of these has moved, the plan is no longer what would be done.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, digest};
use crate::world::fs::eyes::{Eyes as _, LiveEyes};

/// One thing that a plan depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Input {
    pub kind: InputKind,
    /// A path or a name.
    pub name: String,
    /// Of its content; `absent` if there was nothing.
    pub digest: String,
    /// Where only parts of something count, each part and its state: `HASH STATE`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputKind {
    Script,
    Module,
    Options,
    SiteFile,
    Manifest,
    Lock,
    Configuration,
    Store,
    Spack,
    Repository,
    File,
}

impl InputKind {
    /// In the words of a message.
    pub fn words(self) -> &'static str {
        match self {
            InputKind::Script => "the script",
            InputKind::Module => "the module",
            InputKind::Options => "the options",
            InputKind::SiteFile => "the site file",
            InputKind::Manifest => "the manifest",
            InputKind::Lock => "the lock file",
            InputKind::Configuration => "the configuration",
            InputKind::Store => "the store",
            InputKind::Spack => "Spack",
            InputKind::Repository => "the package repository",
            InputKind::File => "the file",
        }
    }
}

fn key(part: &str) -> &str {
    part.split(' ').next().unwrap_or_default()
}

impl Input {
    pub fn new(kind: InputKind, name: impl Into<String>, digest: impl Into<String>) -> Input {
        Input { kind, name: name.into(), digest: digest.into(), parts: Vec::new() }
    }

    /// The real file, whatever a plan pretends: what it was before the plan.
    pub fn file(kind: InputKind, path: &Path) -> Result<Input> {
        let digest = match LiveEyes.digest(path) {
            Err(trouble) if trouble.is(Kind::NotFound) => String::from("absent"),
            other => other?,
        };
        Ok(Input::new(kind, path.display().to_string(), digest))
    }

    /// Something of which only these parts count.
    pub fn of_parts(kind: InputKind, name: impl Into<String>, mut parts: Vec<String>) -> Input {
        parts.sort();
        let digest = digest::bytes(parts.join("\n").as_bytes());
        Input { kind, name: name.into(), digest, parts }
    }

    /// Adds the parts that were not known yet.
    pub fn add(&mut self, other: &Input) {
        let known: BTreeSet<&str> = self.keys().collect();
        let new: Vec<String> = other.parts.iter().filter(|p| !known.contains(key(p))).cloned().collect();
        if !new.is_empty() {
            let parts = self.parts.iter().cloned().chain(new).collect();
            *self = Input::of_parts(self.kind, self.name.as_str(), parts);
        }
    }

    /// The parts that count.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| key(part))
    }

    /// Those of the parts that are not known yet.
    pub fn unknown<'a>(&self, parts: &[&'a str]) -> Vec<&'a str> {
        let known: BTreeSet<&str> = self.keys().collect();
        parts.iter().copied().filter(|part| !known.contains(part)).collect()
    }

    /// For what is compared by its words.
    pub fn title(&self) -> String {
        match self.kind {
            InputKind::Options => self.kind.words().to_owned(),
            _ => format!("{} {}", self.kind.words(), self.name),
        }
    }
}

//! What must be so after a change, in a form that can be looked at again later: a resumed run takes a finished
//! step as done only while it still holds.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::world::fs::eyes::Eyes;

/// A fact about one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Postcondition {
    File { path: PathBuf, digest: String },
    There { path: PathBuf },
    Link { path: PathBuf, target: PathBuf },
    Absent { path: PathBuf },
}

impl Postcondition {
    /// A file as it is now.
    pub fn now(eyes: &dyn Eyes, path: &Path) -> Postcondition {
        match eyes.digest(path) {
            Ok(digest) => Postcondition::File { path: path.to_owned(), digest },
            Err(_) => Postcondition::Absent { path: path.to_owned() },
        }
    }

    pub fn path(&self) -> &Path {
        match self {
            Postcondition::File { path, .. }
            | Postcondition::There { path }
            | Postcondition::Link { path, .. }
            | Postcondition::Absent { path } => path,
        }
    }

    pub fn holds(&self, eyes: &dyn Eyes) -> bool {
        match self {
            Postcondition::File { path, digest } => eyes.digest(path).is_ok_and(|now| now == *digest),
            Postcondition::There { path } => eyes.exists(path).is_ok_and(|there| there),
            Postcondition::Link { path, target } => eyes.read_link(path).is_ok_and(|now| now == *target),
            Postcondition::Absent { path } => eyes.exists(path).is_ok_and(|there| !there),
        }
    }

    /// What does not hold, in words.
    pub fn failure(&self) -> String {
        match self {
            Postcondition::File { path, .. } => format!("{} is not as it was left", path.display()),
            Postcondition::There { path } => format!("{} is gone", path.display()),
            Postcondition::Link { path, target } => {
                format!("{} does not point to {}", path.display(), target.display())
            }
            Postcondition::Absent { path } => format!("{} is there again", path.display()),
        }
    }
}

/// Of several facts about a path the last one counts.
pub fn last(proofs: impl IntoIterator<Item = Postcondition>) -> Vec<Postcondition> {
    let mut out: Vec<Postcondition> = Vec::new();
    for proof in proofs {
        out.retain(|known| known.path() != proof.path());
        out.push(proof);
    }
    out
}

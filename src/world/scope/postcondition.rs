//! What must be so after a change, in a form that can be looked at again later: a resumed run takes a finished
//! step as done only while it still holds.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::world::fs::eyes::Eyes;

/// A fact about one path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Proof {
    File { path: PathBuf, digest: String },
    There { path: PathBuf },
    Link { path: PathBuf, target: PathBuf },
    Absent { path: PathBuf },
}

impl Proof {
    /// A file as it is now.
    pub fn now(eyes: &dyn Eyes, path: &Path) -> Proof {
        match eyes.digest(path) {
            Ok(digest) => Proof::File { path: path.to_owned(), digest },
            Err(_) => Proof::Absent { path: path.to_owned() },
        }
    }

    pub fn path(&self) -> &Path {
        match self {
            Proof::File { path, .. }
            | Proof::There { path }
            | Proof::Link { path, .. }
            | Proof::Absent { path } => path,
        }
    }

    pub fn holds(&self, eyes: &dyn Eyes) -> bool {
        match self {
            Proof::File { path, digest } => eyes.digest(path).is_ok_and(|now| now == *digest),
            Proof::There { path } => eyes.exists(path),
            Proof::Link { path, target } => eyes.read_link(path).is_ok_and(|now| now == *target),
            Proof::Absent { path } => !eyes.exists(path),
        }
    }

    /// What does not hold, in words.
    pub fn failure(&self) -> String {
        match self {
            Proof::File { path, .. } => format!("{} is not as it was left", path.display()),
            Proof::There { path } => format!("{} is gone", path.display()),
            Proof::Link { path, target } => {
                format!("{} does not point to {}", path.display(), target.display())
            }
            Proof::Absent { path } => format!("{} is there again", path.display()),
        }
    }
}

/// Of several facts about a path the last one counts.
pub fn last(proofs: impl IntoIterator<Item = Proof>) -> Vec<Proof> {
    let mut out: Vec<Proof> = Vec::new();
    for proof in proofs {
        out.retain(|known| known.path() != proof.path());
        out.push(proof);
    }
    out
}

//! What an action is called in a plan and in the journal, so that the two can be compared: its kind, its target
//! and the place in the run, without the names that are made anew each time.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::cancel::Cancel;
use super::replay;
use crate::world::Action;

/// One action as plan and journal know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The journal's word for the kind.
    pub action: String,
    /// The target: a command line or paths.
    pub what: String,
    /// Digest of the content that it leaves behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Which of the tasks that run side by side.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub strand: String,
    /// The script line that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl Identity {
    pub fn of(action: &Action, naming: &Naming) -> Identity {
        let scope = Cancel::current().unwrap_or_default();
        Identity {
            action: action.name().to_owned(),
            what: naming.shown(action),
            content: action.content(),
            step: scope.strand().step.clone(),
            strand: scope.strand().path.clone(),
            place: replay::place(),
        }
    }

    /// The same change, asked for in the same place of the run.
    pub fn is_same(&self, other: &Identity) -> bool {
        self.is_beside(other)
            && (&self.action, &self.what, &self.content) == (&other.action, &other.what, &other.content)
    }

    /// In the same sequence of actions.
    pub fn is_beside(&self, other: &Identity) -> bool {
        (&self.step, &self.strand) == (&other.step, &other.strand)
    }

    /// For messages.
    pub fn title(&self) -> String {
        format!("{} {}", self.action, self.what)
    }
}

/// Names for temporary folders, which are called otherwise in every run.
#[derive(Debug, Default)]
pub struct Naming(Mutex<Vec<PathBuf>>);

impl Naming {
    fn shown(&self, action: &Action) -> String {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Action::MakeTempFolder { path } = action {
            made.push(path.clone());
            let within = path.parent().unwrap_or(Path::new("/"));
            return format!("{} in {}", label(made.len()), within.display());
        }
        let mut text = action.describe();
        for (index, path) in made.iter().enumerate() {
            text = text.replace(&path.display().to_string(), &label(index + 1));
        }
        text
    }
}

fn label(number: usize) -> String {
    format!("{{temp {number}}}")
}

//! The identity of an action. Folders that are made anew each time have a number in it instead of their name.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::action::Action;
use crate::world::scope::cancel::Cancel;
use crate::world::scope::identity::Identity;
use crate::world::scope::replay;

/// Names for temporary folders, which are called otherwise in every run.
#[derive(Debug, Default)]
pub struct Naming(Mutex<Vec<PathBuf>>);

impl Naming {
    /// What this action is called here and now.
    pub fn identity(&self, action: &Action) -> Identity {
        let scope = Cancel::current().unwrap_or_default();
        Identity {
            action: action.name().to_owned(),
            what: self.shown(action),
            content: action.content(),
            step: scope.task_path().step.clone(),
            task_path: scope.task_path().path.clone(),
            place: replay::place(),
        }
    }

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

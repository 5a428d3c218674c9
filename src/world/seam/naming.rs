//! The identity of an action. Folders that are made anew each time have a number in it instead of their name.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::action::Action;
use crate::world::scope::cancel::Cancel;
use crate::world::scope::identity::{Identity, RUN};
use crate::world::scope::replay;

/// What a plan gives as the number of the run, which is not known yet: a number that nothing else has.
pub const PLANNED_RUN: i64 = 7_070_707_070_000_001;

/// Names for temporary folders, which are called otherwise in every run.
#[derive(Debug, Default)]
pub struct Naming(Mutex<Vec<PathBuf>>);

impl Naming {
    /// What this action is called here and now.
    pub fn identity(&self, action: &Action) -> Identity {
        let scope = Cancel::current().unwrap_or_default();
        let template = template(action);
        Identity {
            action: action.name().to_owned(),
            what: self.shown(action).replace(&PLANNED_RUN.to_string(), RUN),
            content: action.content().filter(|_| template.is_none()),
            template,
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

/// A text that has the number of the run in it.
fn template(action: &Action) -> Option<String> {
    let Action::WriteFile { bytes, varies: false, .. } = action else { return None };
    let text = std::str::from_utf8(bytes).ok()?;
    let number = PLANNED_RUN.to_string();
    text.contains(&number).then(|| text.replace(&number, RUN))
}

fn label(number: usize) -> String {
    format!("{{temp {number}}}")
}

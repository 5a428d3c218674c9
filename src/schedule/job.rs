//! The command line that is started when a schedule is due, with everything that a bare environment lacks.

use std::collections::BTreeMap;

use super::when::Schedule;
use crate::base::{Result, Trouble};

/// What is to be started, and when.
#[derive(Debug, Clone)]
pub struct Job {
    /// What units are called after.
    pub name: String,
    /// The workflow or script.
    pub workflow: String,
    pub schedule: Schedule,
    /// From the absolute path of the executable on.
    pub argv: Vec<String>,
    /// Variables that decide which site is meant.
    pub variables: BTreeMap<String, String>,
    pub user: String,
    pub home: String,
    pub path: String,
}

impl Job {
    /// Refuses what no line of a crontab or unit can hold.
    pub fn check(&self) -> Result<()> {
        let texts =
            self.argv.iter().chain(self.variables.values()).chain([&self.home, &self.path, &self.user]);
        for text in texts {
            if let Some(bad) = text.chars().find(|c| c.is_control()) {
                return Err(Trouble::usage(format!(
                    "{text:?} has the character {bad:?} in it, which a unit or a crontab cannot hold"
                )));
            }
        }
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || self.name.starts_with(['.', '-']) || !self.name.chars().all(good) {
            return Err(Trouble::usage(format!("'{}' cannot be the name of a unit", self.name))
                .hint("letters, digits, '-', '_' and '.'"));
        }
        Ok(())
    }

    /// The name of the units.
    pub fn unit(&self) -> String {
        format!("moonstack-{}", self.name)
    }

    /// For people: what it is and when.
    pub fn title(&self) -> String {
        if self.name == self.workflow {
            format!("{}, {}", self.workflow, self.schedule.text)
        } else {
            format!("{} ({}), {}", self.name, self.workflow, self.schedule.text)
        }
    }
}

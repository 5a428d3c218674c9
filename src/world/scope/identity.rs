//! What an action is called in a plan and in the journal, so that the two can be compared: its kind, its target
//! and the place in the run, without the names that are made anew each time.

use serde::{Deserialize, Serialize};

use crate::base::digest;

/// Stands in a plan for the number of the run.
pub const RUN: &str = "{run}";

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
    /// The content itself where it has the number of the run in it, which a plan does not know: as `{run}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Which of the tasks that run side by side.
    #[serde(rename = "strand", default, skip_serializing_if = "String::is_empty")]
    pub task_path: String,
    /// The script line that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

impl Identity {
    /// The same change, asked for in the same place of the run.
    pub fn is_same(&self, other: &Identity) -> bool {
        self.is_beside(other)
            && (&self.action, &self.what, &self.content) == (&other.action, &other.what, &other.content)
    }

    /// The same once the run has its number.
    #[must_use]
    pub fn numbered(&self, run: i64) -> Identity {
        let number = |text: &str| text.replace(RUN, &run.to_string());
        let filled = self.template.as_ref().map(|text| digest::bytes(number(text).as_bytes()));
        Identity {
            what: number(&self.what),
            content: filled.or_else(|| self.content.clone()),
            template: None,
            ..self.clone()
        }
    }

    /// In the same sequence of actions.
    pub fn is_beside(&self, other: &Identity) -> bool {
        (&self.step, &self.task_path) == (&other.step, &other.task_path)
    }

    /// For messages.
    pub fn title(&self) -> String {
        format!("{} {}", self.action, self.what)
    }
}

//! What an operation is given: eyes, hands, somebody who is told, and the time.

use std::path::Path;
use std::sync::Arc;

use super::action::{Action, Outcome};
use super::hands::Hands;
use super::input::{Input, InputKind};
use crate::base::clock::Clock;
use crate::base::{Result, Trouble};
use crate::world::fs::eyes::Eyes;
use crate::world::scope::event::{Event, Watcher};
use crate::world::state::journal::Journal;

/// What a domain operation is given to see, change, tell the time and report progress.
#[derive(Clone)]
pub struct World {
    pub eyes: Arc<dyn Eyes>,
    pub hands: Arc<dyn Hands>,
    pub watcher: Arc<dyn Watcher>,
    pub clock: Clock,
}

impl World {
    /// Makes a change through the seam.
    pub async fn perform(&self, action: Action) -> Result<Outcome> {
        self.hands.perform(self, action).await
    }

    /// Does what is our own book-keeping and no change of the site.
    pub async fn keep(&self, action: Action) -> Result<Outcome> {
        self.hands.keep(self, action).await
    }

    /// Notes for a plan that a file is read.
    pub fn depends_on_file(&self, path: &Path) -> Result<()> {
        let (kind, name) = (InputKind::File, path.display().to_string());
        self.hands.depends(kind, &name, &[], &|_| Input::file(kind, path))
    }

    /// Tells at once of what should be on record and is not; the run's end says it again.
    pub fn unrecorded(&self, journal: &Journal, trouble: &Trouble) {
        if journal.lose(trouble) {
            self.warn(format!(
                "the journal cannot be written, and what is done now is not on record: {trouble}"
            ));
        }
    }

    pub fn tell(&self, event: Event) {
        self.watcher.see(&event);
    }

    /// Tells of something that a person may want to know.
    pub fn say(&self, text: impl Into<String>) {
        self.watcher.say(text.into());
    }

    /// Tells of something that did not stop the work, but that a person should know.
    pub fn warn(&self, text: impl Into<String>) {
        self.watcher.warn(text.into());
    }
}

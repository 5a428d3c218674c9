//! The log file of a run: its events as JSON lines, without the output of programs, which have logs of their own,
//! and without how far something is, which is of interest only while it is so.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use crate::base::clock::Clock;
use crate::base::{Result, redact};
use crate::world::fs::own_files::{self, Open};
use crate::world::scope::event::{Event, Watcher};

/// Writes what it sees once it has a file, and hands it on.
pub struct RunLog {
    next: Arc<dyn Watcher>,
    clock: Clock,
    file: OnceLock<Mutex<File>>,
}

impl RunLog {
    pub fn before(next: Arc<dyn Watcher>, clock: Clock) -> RunLog {
        RunLog { next, clock, file: OnceLock::new() }
    }

    /// From now on events are kept there; a file that is there already is gone on with.
    pub fn open(&self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            own_files::private_folder(folder)?;
        }
        let file = own_files::open(path, Open::Append)?;
        let _ = self.file.set(Mutex::new(file));
        Ok(())
    }
}

impl Watcher for RunLog {
    fn see(&self, event: &Event) {
        let passing = matches!(event, Event::Line { .. } | Event::ItemProgress { .. });
        if let Some(file) = self.file.get().filter(|_| !passing) {
            let line = event.line(&self.clock);
            if let Ok(mut file) = file.lock() {
                // A full disk must not end the run; the journal says what it did.
                let _ = writeln!(file, "{}", redact::redact(&line.to_string()));
            }
        }
        self.next.see(event);
    }
}

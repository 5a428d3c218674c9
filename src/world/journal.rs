//! What was done: one row per run, one per action, the intent written before the outcome, so that a crash
//! leaves no doubt about what may have happened.

use std::sync::{Arc, OnceLock};

use rusqlite::params;

use super::store::Store;
use crate::base::clock::Clock;
use crate::base::{Result, redact};

tokio::task_local! {
    /// The script line that asked for the change, `file:line`.
    static PLACE: String;
}

/// Runs `work` so that its actions are recorded as asked for at `place`.
pub async fn from_place<F: Future>(place: String, work: F) -> F::Output {
    PLACE.scope(place, work).await
}

/// Writes the rows of one run. The run's own row is written with its first action: a run that changes
/// nothing touches no database.
pub struct Journal {
    store: Arc<Store>,
    clock: Clock,
    about: About,
    run: OnceLock<i64>,
}

/// What is known of a run when it begins.
#[derive(Debug, Clone, Default)]
pub struct About {
    pub script: String,
    pub digest: Option<String>,
    pub options: serde_json::Value,
}

impl Journal {
    pub fn new(store: Arc<Store>, clock: Clock, about: About) -> Self {
        Journal { store, clock, about, run: OnceLock::new() }
    }

    /// The run's number; its row is written if it is not there yet.
    pub fn run(&self) -> Result<i64> {
        if let Some(id) = self.run.get() {
            return Ok(*id);
        }
        let options = redact::redact(&self.about.options.to_string());
        let host = nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
        let id = self.store.with(|c| {
            c.execute(
                "INSERT INTO runs (script, digest, options, user, host, pid, version, started)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    self.about.script,
                    self.about.digest,
                    options,
                    user(),
                    host,
                    std::process::id(),
                    env!("CARGO_PKG_VERSION"),
                    self.clock.seconds()
                ],
            )?;
            Ok(c.last_insert_rowid())
        })?;
        Ok(*self.run.get_or_init(|| id))
    }

    /// The run's number, if anything was recorded.
    pub fn known(&self) -> Option<i64> {
        self.run.get().copied()
    }

    /// Records what is about to be done.
    pub fn intend(&self, name: &str, detail: &str) -> Result<i64> {
        let run = self.run()?;
        let place = PLACE.try_with(Clone::clone).ok();
        self.store.with(|c| {
            c.prepare_cached(
                "INSERT INTO actions (run, name, detail, place, started) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![run, name, detail, place, self.clock.seconds()])?;
            Ok(c.last_insert_rowid())
        })
    }

    /// Records how it went.
    pub fn outcome(&self, action: i64, outcome: &str) -> Result<()> {
        self.store.with(|c| {
            c.prepare_cached("UPDATE actions SET ended = ?2, outcome = ?3 WHERE id = ?1")?
                .execute(params![action, self.clock.seconds(), redact::redact(outcome)])?;
            Ok(())
        })
    }

    /// Records the run's end, if it has a row.
    pub fn end(&self, exit: u8, message: Option<&str>) -> Result<()> {
        let Some(run) = self.run.get() else { return Ok(()) };
        self.store.with(|c| {
            c.execute(
                "UPDATE runs SET ended = ?2, exit = ?3, message = ?4 WHERE id = ?1",
                params![run, self.clock.seconds(), exit, message.map(redact::redact)],
            )?;
            Ok(())
        })
    }
}

/// Who acts: behind sudo, the person who called it.
fn user() -> String {
    std::env::var("SUDO_USER").ok().filter(|u| !u.is_empty()).unwrap_or_else(|| {
        nix::unistd::User::from_uid(nix::unistd::getuid())
            .ok()
            .flatten()
            .map_or_else(|| nix::unistd::getuid().to_string(), |u| u.name)
    })
}

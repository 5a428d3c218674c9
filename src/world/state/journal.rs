//! What was done: one row per run, one per action, the intent written before the outcome, so that a crash
//! leaves no doubt about what may have happened.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rusqlite::params;
use serde_json::Value;

use super::own_lock::{self, OwnLock};
use super::private_record::{Beginning, PrivateRecord, drop_values};
use super::store::Store;
use crate::base::clock::Clock;
use crate::base::{Result, Trouble, redact};
use crate::world::scope::replay::Replay;
use crate::world::who::{Process, user};

/// Where a value is found that is not kept: nowhere.
pub(super) const NOWHERE: &str = "-";

/// Writes the rows of one run. The run's own row is written with its first action: a run that changes
/// nothing touches no database, unless it is asked to be on record.
pub struct Journal {
    store: Arc<Store>,
    clock: Clock,
    about: Mutex<About>,
    /// A plan writes none of what happens in it.
    records: bool,
    run: OnceLock<(i64, i64)>,
    beginning: Mutex<()>,
    /// The run that this one goes on with, before its next attempt is on record.
    pub(super) resumes: OnceLock<Resumed>,
    /// Held as long as the run is under way: who can take it knows that the run is not.
    lock: Mutex<Option<OwnLock>>,
    private: OnceLock<PrivateRecord>,
    /// Modules that were loaded before the run was on record.
    modules: Mutex<Vec<(String, String)>>,
    /// The first thing that should be on record and is not.
    lost: OnceLock<Trouble>,
}

/// A run that is gone on with.
#[derive(Debug)]
pub(super) struct Resumed {
    pub run: i64,
    pub past_calls: Replay,
    pub recalled: super::private_record::Recalled,
}

/// The lock of a run that is under way.
pub fn run_lock(state: &Path, run: i64) -> PathBuf {
    own_lock::place(state, &format!("run {run}"))
}

/// What is known of a run when it begins.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// `run`, `apply` or what else it is.
    pub kind: String,
    pub script: String,
    pub digest: Option<String>,
    pub options: Value,
    /// What is needed to go on with it later.
    pub command: Value,
    /// The plan that it follows.
    pub plan: Option<Value>,
}

impl Journal {
    pub fn new(store: Arc<Store>, clock: Clock) -> Self {
        Journal {
            store,
            clock,
            about: Mutex::default(),
            records: true,
            run: OnceLock::new(),
            beginning: Mutex::default(),
            resumes: OnceLock::new(),
            lock: Mutex::default(),
            private: OnceLock::new(),
            modules: Mutex::default(),
            lost: OnceLock::new(),
        }
    }

    /// The journal of a plan: steps leave no rows.
    pub fn silent(store: Arc<Store>, clock: Clock) -> Self {
        Journal { records: false, ..Journal::new(store, clock) }
    }

    pub fn records(&self) -> bool {
        self.records
    }

    /// Whether looks are kept as well: of what can be resumed.
    pub fn remembers(&self) -> bool {
        self.records
            && matches!(self.about.lock().as_deref(), Ok(About { kind, .. }) if kind == "run" || kind == "apply")
    }

    /// Says what the run is, before its row is written.
    pub fn describe(&self, about: About) {
        *self.about.lock().unwrap_or_else(PoisonError::into_inner) = about;
    }

    /// The run's number; its row is written if it is not there yet.
    pub fn run(&self) -> Result<i64> {
        self.begin().map(|(run, _)| run)
    }

    pub(super) fn begin(&self) -> Result<(i64, i64)> {
        let _one = self.beginning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.run.get() {
            return Ok(*known);
        }
        let begun = match self.resumes.get() {
            Some(resumed) => self.next_attempt(resumed.run)?,
            None => self.first_attempt()?,
        };
        Ok(*self.run.get_or_init(|| begun))
    }

    fn first_attempt(&self) -> Result<(i64, i64)> {
        let about = self.about.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = |value: &Value| (!value.is_null()).then(|| redact::value(None, value).to_string());
        let me = Process::me();
        let (id, lock) = self.store.with(|c| {
            let t = c.transaction()?;
            t.execute(
                "INSERT INTO runs (kind, script, digest, options, command, plan, user, host, pid, boot, began, version, started)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
                params![
                    if about.kind.is_empty() { "command" } else { about.kind.as_str() },
                    about.script,
                    about.digest,
                    redact::value(None, &about.options).to_string(),
                    text(&about.command),
                    about.plan.as_ref().and_then(text),
                    user(),
                    me.host,
                    me.pid,
                    me.boot,
                    me.began,
                    env!("CARGO_PKG_VERSION"),
                    self.clock.seconds()
                ],
            )?;
            let id = t.last_insert_rowid();
            // Nobody sees the row before its lock is held.
            let lock = self.records.then(|| self.hold(id)).transpose();
            if lock.is_ok() {
                t.commit()?;
            }
            Ok((id, lock))
        })?;
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = lock?;
        self.begin_private(id, 1)?;
        Ok((id, 1))
    }

    fn hold(&self, run: i64) -> Result<OwnLock> {
        let path = run_lock(self.store.folder(), run);
        Ok(own_lock::at_once(&path, &format!("run {run}"))?.passing(path))
    }

    /// The next attempt of a run whose lock is held already.
    fn next_attempt(&self, run: i64) -> Result<(i64, i64)> {
        let me = Process::me();
        let attempt = self.store.with(|c| {
            c.query_row(
                "UPDATE runs SET attempt = attempt + 1, ended = NULL, exit = NULL, message = NULL, user = ?2,
                   host = ?3, pid = ?4, boot = ?5, began = ?6
                 WHERE id = ?1 RETURNING attempt",
                params![run, user(), me.host, me.pid, me.boot, me.began],
                |row| row.get(0),
            )
        })?;
        self.begin_private(run, attempt)?;
        Ok((run, attempt))
    }

    /// Whether this goes on with a run, but has put nothing on record yet.
    pub fn is_about_to_resume(&self) -> bool {
        self.resumes.get().is_some() && self.run.get().is_none()
    }

    pub(super) fn keep_lock(&self, lock: OwnLock) {
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = Some(lock);
    }

    fn begin_private(&self, run: i64, attempt: i64) -> Result<()> {
        if !self.remembers() {
            return Ok(());
        }
        let about = self.about.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let beginning =
            Beginning { run, attempt, user: user(), command: about.command, digest: about.digest };
        let record = PrivateRecord::begin(self.store.folder(), &beginning)?;
        for (name, digest) in &*self.modules.lock().unwrap_or_else(PoisonError::into_inner) {
            record.module(name, digest)?;
        }
        let _ = self.private.set(record);
        Ok(())
    }

    /// A module that the script has loaded.
    pub fn module(&self, name: &str, digest: &str) -> Result<()> {
        if let Some(record) = self.private.get() {
            return record.module(name, digest);
        }
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        modules.push((name.to_owned(), digest.to_owned()));
        Ok(())
    }

    /// A value as people may see it, and where it is found as it is: the empty word is right there.
    pub(super) fn hide(&self, value: &Value) -> (String, String) {
        let (real, shown) = (value.to_string(), redact::value(None, value).to_string());
        if real == shown {
            return (real, String::new());
        }
        let kept = self.private.get().and_then(|record| record.keep(real).ok());
        (shown, kept.unwrap_or_else(|| String::from(NOWHERE)))
    }

    /// Notes that something is not on record. True if it is the first.
    pub fn lose(&self, trouble: &Trouble) -> bool {
        self.lost.set(trouble.clone()).is_ok()
    }

    /// What should be on record and is not.
    pub fn lost(&self) -> Option<&Trouble> {
        self.lost.get()
    }

    /// What the interrupted run knows of the next call; none unless this run goes on with one.
    pub fn replay(&self) -> Option<&Replay> {
        self.resumes.get().map(|resumed| &resumed.past_calls)
    }

    /// Adds what is found out about the run only while it runs.
    pub fn note(&self, column: Note, text: &str) -> Result<()> {
        let run = self.run()?;
        let sql = match column {
            Note::Spack => "UPDATE runs SET spack = ?2 WHERE id = ?1",
            Note::Log => "UPDATE runs SET log = ?2 WHERE id = ?1",
            Note::Modules => "UPDATE runs SET modules = ?2 WHERE id = ?1",
        };
        self.store.with(|c| c.execute(sql, params![run, text]).map(drop))
    }

    /// Records the run's end, if it has a row.
    pub fn end(&self, exit: u8, message: Option<&str>) -> Result<()> {
        let Some((run, attempt)) = self.run.get() else { return Ok(()) };
        // It is over, whether that can be recorded or not.
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.store.with(|c| {
            c.execute(
                "UPDATE runs SET ended = ?2, exit = ?3, message = ?4 WHERE id = ?1",
                params![run, self.clock.seconds(), exit, message.map(redact::redact)],
            )?;
            Ok(())
        })?;
        if exit == 0 && self.private.get().is_some() {
            drop_values(self.store.folder(), *run, *attempt)?;
        }
        Ok(())
    }

    /// Its number, where it has a row.
    pub fn number(&self) -> Option<i64> {
        self.run.get().map(|(run, _)| *run)
    }

    pub fn attempt(&self) -> i64 {
        self.run.get().map_or(1, |(_, attempt)| *attempt)
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn seconds(&self) -> f64 {
        self.clock.seconds()
    }
}

/// What may be added to a run's row.
#[derive(Debug, Clone, Copy)]
pub enum Note {
    Spack,
    Log,
    Modules,
}

//! What was done: one row per run, one per action, the intent written before the outcome, so that a crash
//! leaves no doubt about what may have happened.

use crate::world::who::{host, user};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rusqlite::{Transaction, params};
use serde_json::Value;

use super::store::Store;
use crate::base::clock::Clock;
use crate::base::{Kind, Result, Trouble, redact};
use crate::world::scope::cancel::Cancel;
use crate::world::scope::identity::Identity;
use crate::world::scope::postcondition::Postcondition;
use crate::world::scope::replay::{self, Call, Recorded, Replay};

/// A result that is longer than this is not kept: the call would be made again.
const LONGEST_RESULT: usize = 1 << 20;

/// Writes the rows of one run. The run's own row is written with its first action: a run that changes
/// nothing touches no database, unless it is asked to be on record.
pub struct Journal {
    store: Arc<Store>,
    clock: Clock,
    about: Mutex<About>,
    /// A plan writes none of what happens in it.
    records: bool,
    run: OnceLock<(i64, i64)>,
    past_calls: OnceLock<Replay>,
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
            past_calls: OnceLock::new(),
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

    fn begin(&self) -> Result<(i64, i64)> {
        if let Some(known) = self.run.get() {
            return Ok(*known);
        }
        let about = self.about.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let text = |value: &Value| (!value.is_null()).then(|| redact::redact(&value.to_string()));
        let host = host();
        let id = self.store.with(|c| {
            c.execute(
                "INSERT INTO runs (kind, script, digest, options, command, plan, user, host, pid, version, started)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    if about.kind.is_empty() { "command" } else { about.kind.as_str() },
                    about.script,
                    about.digest,
                    redact::redact(&about.options.to_string()),
                    text(&about.command),
                    about.plan.as_ref().and_then(text),
                    user(),
                    host,
                    std::process::id(),
                    env!("CARGO_PKG_VERSION"),
                    self.clock.seconds()
                ],
            )?;
            Ok(c.last_insert_rowid())
        })?;
        Ok(*self.run.get_or_init(|| (id, 1)))
    }

    /// Goes on with a run that has ended or was interrupted: the next attempt.
    pub fn resume(&self, run: i64) -> Result<()> {
        let attempt = self.store.with(|c| {
            c.query_row(
                "UPDATE runs SET attempt = attempt + 1, ended = NULL, exit = NULL, message = NULL, pid = ?2, host = ?3
                 WHERE id = ?1 RETURNING attempt",
                params![run, std::process::id(), host()],
                |row| row.get(0),
            )
        })?;
        let _ = self.run.set((run, attempt));
        let _ = self.past_calls.set(self.recollect(run)?);
        Ok(())
    }

    /// The calls outside of finished steps: what an interrupted run would otherwise do again.
    fn recollect(&self, run: i64) -> Result<Replay> {
        let past_calls = Replay::default();
        let touched = self.touched(run)?;
        self.store.with(|c| {
            let mut ended = c.prepare(
                "SELECT step, strand, call, result, proofs, action FROM calls c
                 WHERE run = ?1 AND (step IS NULL OR EXISTS
                   (SELECT 1 FROM steps s WHERE s.run = c.run AND s.name = c.step AND s.attempt <= c.attempt
                    AND s.state <> 'undone'))
                 ORDER BY id",
            )?;
            let mut rows = ended.query([run])?;
            while let Some(row) = rows.next()? {
                let json = |at: usize| row.get::<_, String>(at);
                let (result, proofs) = (json(3)?, json(4)?);
                let mut proofs: Vec<Postcondition> = serde_json::from_str(&proofs).unwrap_or_default();
                let action = row.get::<_, Option<i64>>(5)?.unwrap_or(0);
                // What a later action has changed need not be as this call left it.
                let is_last =
                    |path: &Path| path.ancestors().all(|p| touched.get(p).is_none_or(|at| *at <= action));
                proofs.retain(|proof| is_last(proof.path()));
                let ended = serde_json::from_str(&result).ok().map(|result| (result, proofs));
                let key = row.get(2)?;
                past_calls
                    .add((row.get(0)?, row.get(1)?), Recorded { key, ended, promise: None, since: 0.0 });
            }
            let mut begun = c.prepare(
                "SELECT step, strand, call, promise, started FROM actions a
                 WHERE run = ?1 AND call IS NOT NULL AND outcome IS NULL AND id =
                   (SELECT max(id) FROM actions b
                    WHERE b.run = a.run AND b.step IS a.step AND b.strand = a.strand)
                   AND (step IS NULL OR EXISTS
                   (SELECT 1 FROM steps s WHERE s.run = a.run AND s.name = a.step AND s.attempt <= a.attempt
                    AND s.state <> 'undone'))
                 ORDER BY id",
            )?;
            let mut rows = begun.query([run])?;
            while let Some(row) = rows.next()? {
                let promise: Option<String> = row.get(3)?;
                let promise = promise.and_then(|text| serde_json::from_str(&text).ok());
                let recorded = Recorded { key: row.get(2)?, ended: None, promise, since: row.get(4)? };
                past_calls.add((row.get(0)?, row.get(1)?), recorded);
            }
            Ok(())
        })?;
        Ok(past_calls)
    }

    /// Each path that actions of the run may have changed, with the last of these actions.
    fn touched(&self, run: i64) -> Result<HashMap<PathBuf, i64>> {
        let mut touched = HashMap::new();
        self.store.with(|c| {
            let mut actions = c.prepare(
                "SELECT id, subjects FROM actions WHERE run = ?1 AND subjects IS NOT NULL ORDER BY id",
            )?;
            let mut rows = actions.query([run])?;
            while let Some(row) = rows.next()? {
                let paths: Vec<PathBuf> = serde_json::from_str(&row.get::<_, String>(1)?).unwrap_or_default();
                let id: i64 = row.get(0)?;
                touched.extend(paths.into_iter().map(|path| (path, id)));
            }
            Ok(())
        })?;
        Ok(touched)
    }

    /// What the interrupted run knows of the next call; none unless this run goes on with one.
    pub fn replay(&self) -> Option<&Replay> {
        self.past_calls.get()
    }

    /// Records what is about to be done.
    pub fn intend(&self, what: &Identity, subjects: &[PathBuf]) -> Result<i64> {
        let (run, attempt) = self.begin()?;
        let call = replay::current();
        let promise =
            call.as_ref().and_then(|c| c.plan_result()).and_then(|p| serde_json::to_string(&p).ok());
        let subjects = serde_json::to_string(subjects).ok();
        let looks = Cancel::current().map(|scope| scope.task_path().take_looks()).unwrap_or_default();
        self.store.with(|c| {
            let t = c.transaction()?;
            if let Some(call) = &call {
                write_outcomes(&t, call)?;
            }
            for looked in &looks {
                t.prepare_cached(
                    "INSERT INTO calls (run, attempt, step, strand, call, result, proofs)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, '[]')",
                )?
                .execute(params![run, attempt, what.step, what.task_path, looked.key, redact::redact(&looked.result)])?;
            }
            t.prepare_cached(
                "INSERT INTO actions (run, attempt, name, detail, content, step, strand, place, subjects, call,
                                      promise, started)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                run,
                attempt,
                what.action,
                what.what,
                what.content,
                what.step,
                what.task_path,
                what.place,
                subjects,
                call.as_ref().map(|c| c.key.as_str()),
                promise.as_deref().map(redact::redact),
                self.clock.seconds()
            ])?;
            let row = t.last_insert_rowid();
            t.commit()?;
            Ok(row)
        })
    }

    /// Records how it went. Within a call the row is written with the next one, at the latest with the call's own.
    pub fn outcome(&self, action: i64, outcome: &str) -> Result<()> {
        let (at, outcome) = (self.clock.seconds(), redact::redact(outcome));
        match replay::current() {
            Some(call) => {
                call.ended(action, at, outcome);
                Ok(())
            }
            None => self.store.with(|c| {
                c.prepare_cached("UPDATE actions SET ended = ?2, outcome = ?3 WHERE id = ?1")?
                    .execute(params![action, at, outcome])?;
                Ok(())
            }),
        }
    }

    /// Records the end of a call, and what it gave if it ended well. A call that changed nothing has no row, unless
    /// it was begun before the run was interrupted: then its end is what the next attempt has to know.
    pub fn called(&self, call: &Call, result: Option<Value>) -> Result<()> {
        let Some((run, attempt)) = self.run.get().copied() else { return Ok(()) };
        let last_action = call.last_action();
        if last_action.is_none() && call.begun.is_none() {
            return Ok(());
        }
        let scope = Cancel::current().unwrap_or_default();
        let result = result.map(|r| redact::redact(&r.to_string())).filter(|r| r.len() <= LONGEST_RESULT);
        let proofs = serde_json::to_string(&call.proofs())
            .map_err(|e| Trouble::new(Kind::Internal, format!("proofs: {e}")))?;
        self.store.with(|c| {
            let t = c.transaction()?;
            write_outcomes(&t, call)?;
            if let Some(result) = result {
                t.prepare_cached(
                    "INSERT INTO calls (run, attempt, step, strand, call, result, proofs, action)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    run,
                    attempt,
                    scope.task_path().step,
                    scope.task_path().path,
                    call.key,
                    result,
                    proofs,
                    last_action
                ])?;
            }
            t.commit()
        })
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
        let Some((run, _)) = self.run.get() else { return Ok(()) };
        self.store.with(|c| {
            c.execute(
                "UPDATE runs SET ended = ?2, exit = ?3, message = ?4 WHERE id = ?1",
                params![run, self.clock.seconds(), exit, message.map(redact::redact)],
            )?;
            Ok(())
        })
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

fn write_outcomes(t: &Transaction<'_>, call: &Call) -> rusqlite::Result<()> {
    for (row, at, outcome) in call.outcomes() {
        t.prepare_cached("UPDATE actions SET ended = ?2, outcome = ?3 WHERE id = ?1")?
            .execute(params![row, at, outcome])?;
    }
    Ok(())
}

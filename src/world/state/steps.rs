//! The steps of a run on record: which have ended well, with what result, and whether what they left behind is
//! still so.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;
use serde_json::Value;

use super::journal::{Journal, NOWHERE};
use super::private_record::Recalled;
use super::recollect::reveal;
use crate::base::{Result, Trouble, redact};
use crate::world::fs::eyes::Eyes;
use crate::world::scope::postcondition::{Postcondition, last};

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Running,
    Ok,
    Failed,
    Skipped,
    /// It is being taken back, or that was begun and did not come to its end.
    Undoing,
    /// It failed or was taken back, and its compensations have run.
    Undone,
}

impl StepState {
    pub fn name(self) -> &'static str {
        match self {
            StepState::Running => "running",
            StepState::Ok => "ok",
            StepState::Failed => "failed",
            StepState::Skipped => "skipped",
            StepState::Undoing => "undoing",
            StepState::Undone => "undone",
        }
    }

    pub fn named(name: &str) -> Option<StepState> {
        use StepState::{Failed, Ok, Running, Skipped, Undoing, Undone};
        [Running, Ok, Failed, Skipped, Undoing, Undone].into_iter().find(|state| state.name() == name)
    }
}

/// How a step has ended.
#[derive(Debug, Default)]
pub struct StepEnd<'a> {
    pub result: Value,
    /// Whether the result can be given again as it is.
    pub is_lasting: bool,
    pub message: Option<String>,
    pub error: Option<&'a Trouble>,
    /// How many compensations it has.
    pub undo: usize,
}

/// What an interrupted run knows of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    Nothing,
    /// It has to be run again, and why.
    Again(String),
    /// With its result, and how many compensations it has.
    Done(Value, usize),
    /// It was being taken back.
    Undoing(usize),
}

impl Journal {
    /// Whether a step was done before this run was interrupted, and still is.
    pub fn known_step(&self, eyes: &dyn Eyes, name: &str, digest: &str) -> Result<Known> {
        let (Some(past_calls), Some(run)) = (self.replay(), self.number()) else {
            return Ok(Known::Nothing);
        };
        let row = self.store().with(|c| {
            c.query_row(
                "SELECT digest, state, result, attempt, secret, undo FROM steps WHERE run = ?1 AND name = ?2",
                params![run, name],
                |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, String>(1)?,
                        row.get::<_, Option<String>>(2)?,
                        row.get::<_, i64>(3)?,
                        row.get::<_, Option<String>>(4)?,
                        row.get::<_, i64>(5)?,
                    ))
                },
            )
            .optional()
        })?;
        let Some((before, state, result, attempt, secret, undo)) = row else { return Ok(Known::Nothing) };
        let undo = usize::try_from(undo).unwrap_or_default();
        if state == StepState::Undoing.name() {
            return Ok(Known::Undoing(undo));
        }
        if before != digest {
            past_calls.forget(name);
            return Ok(Known::Again(String::from("its inputs have changed")));
        }
        if state != StepState::Ok.name() {
            return Ok(Known::Nothing);
        }
        let broken = self.step_proofs(run, name, attempt)?.into_iter().find(|proof| !proof.holds(eyes));
        if let Some(broken) = broken {
            return Ok(Known::Again(broken.failure()));
        }
        let none = Recalled::default();
        let recalled = self.recalled().unwrap_or(&none);
        let known = result.as_ref().map_or(Some(Value::Null), |text| reveal(recalled, text, secret));
        Ok(match known {
            Some(result) => Known::Done(result, undo),
            None => Known::Again(String::from("its result is not on record")),
        })
    }

    /// The steps that earlier attempts have done, or have begun to take back.
    pub fn done_steps(&self) -> Result<Vec<String>> {
        let (Some(_), Some(run)) = (self.replay(), self.number()) else { return Ok(Vec::new()) };
        self.store().with(|c| {
            c.prepare("SELECT name FROM steps WHERE run = ?1 AND state IN ('ok', 'undoing') AND undo > 0 ORDER BY id")?
                .query_map([run], |row| row.get(0))?
                .collect()
        })
    }

    /// Says before a step is taken back that it is not what it was any more.
    pub fn undo_step(&self, name: &str, compensations: usize) -> Result<()> {
        if !self.records() {
            return Ok(());
        }
        let run = self.run()?;
        self.store().durably(|c| {
            c.execute(
                "UPDATE steps SET state = 'undoing', undo = ?3 WHERE run = ?1 AND name = ?2",
                params![run, name, compensations as i64],
            )
            .map(drop)
        })
    }

    /// What a step left behind, without what other steps may have changed after it.
    fn step_proofs(&self, run: i64, name: &str, attempt: i64) -> Result<Vec<Postcondition>> {
        self.store().with(|c| {
            let mut rows = c.prepare(
                "SELECT proofs, action FROM calls WHERE run = ?1 AND step = ?2 AND attempt >= ?3 ORDER BY id",
            )?;
            let mut proofs: Vec<Postcondition> = Vec::new();
            let mut newest = 0;
            let mut found = rows.query(params![run, name, attempt])?;
            while let Some(row) = found.next()? {
                proofs.extend(
                    serde_json::from_str::<Vec<Postcondition>>(&row.get::<_, String>(0)?).unwrap_or_default(),
                );
                newest = newest.max(row.get::<_, Option<i64>>(1)?.unwrap_or(0));
            }
            let mut later = c.prepare(
                "SELECT subjects FROM actions WHERE run = ?1 AND step IS NOT ?2 AND id > ?3 AND subjects IS NOT NULL",
            )?;
            let mut touched: BTreeSet<PathBuf> = BTreeSet::new();
            let mut found = later.query(params![run, name, newest])?;
            while let Some(row) = found.next()? {
                touched.extend(
                    serde_json::from_str::<Vec<PathBuf>>(&row.get::<_, String>(0)?).unwrap_or_default(),
                );
            }
            let mut proofs = last(proofs);
            proofs.retain(|proof| !touched.iter().any(|path| proof.path().starts_with(path)));
            Ok(proofs)
        })
    }

    /// A step begins. One that goes on where it was interrupted keeps the attempt in which it was begun.
    pub fn begin_step(&self, name: &str, digest: &str) -> Result<()> {
        if !self.records() {
            return Ok(());
        }
        let (run, attempt, now) = (self.run()?, self.attempt(), self.seconds());
        self.store().with(|c| {
            c.execute(
                "INSERT INTO steps (run, attempt, name, digest, state, started) VALUES (?1, ?2, ?3, ?4, 'running', ?5)
                 ON CONFLICT (run, name) DO UPDATE SET
                   attempt = CASE WHEN digest = excluded.digest AND state <> 'undone' THEN attempt
                                  ELSE excluded.attempt END,
                   digest = excluded.digest, state = 'running', started = excluded.started, ended = NULL,
                   result = NULL, secret = NULL, message = NULL, error = NULL, undo = 0",
                params![run, attempt, name, digest, now],
            )
            .map(drop)
        })
    }

    /// A step has ended; gives how long it took.
    pub fn end_step(&self, name: &str, state: StepState, end: &StepEnd<'_>) -> Result<f64> {
        if !self.records() {
            return Ok(0.0);
        }
        let (run, attempt, now) = (self.run()?, self.attempt(), self.seconds());
        let result = (!end.result.is_null() || !end.is_lasting).then(|| self.hide(&end.result));
        let secret = result.as_ref().map(|(_, name)| if end.is_lasting { name } else { NOWHERE });
        let message = end.message.as_deref().map(redact::redact);
        let error = end.error.map(|error| redact::value(None, &error.to_json()).to_string());
        self.store().with(|c| {
            // A step that was skipped has no row yet.
            c.query_row(
                "INSERT INTO steps (run, attempt, name, digest, state, result, secret, message, error, undo, started, ended)
                 VALUES (?1, ?2, ?3, '', ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)
                 ON CONFLICT (run, name) DO UPDATE SET state = ?4, result = ?5, secret = ?6,
                   message = COALESCE(?7, message), error = COALESCE(?8, error), undo = ?9, ended = ?10
                 RETURNING ended - started",
                params![
                    run,
                    attempt,
                    name,
                    state.name(),
                    result.as_ref().map(|(shown, _)| shown),
                    secret,
                    message,
                    error,
                    end.undo as i64,
                    now
                ],
                |row| row.get(0),
            )
        })
    }
}

//! The steps of a run on record: which have ended well, with what result, and whether what they left behind is
//! still so.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;
use serde_json::Value;

use super::journal::Journal;
use crate::base::{Result, redact};
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
            StepState::Undone => "undone",
        }
    }
}

/// What an interrupted run knows of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    Nothing,
    /// It has to be run again, and why.
    Again(String),
    Done(Value),
}

impl Journal {
    /// Whether a step was done before this run was interrupted, and still is.
    pub fn known_step(&self, eyes: &dyn Eyes, name: &str, digest: &str) -> Result<Known> {
        let (Some(past_calls), Some(run)) = (self.replay(), self.number()) else {
            return Ok(Known::Nothing);
        };
        let row = self.store().with(|c| {
            c.query_row(
                "SELECT digest, state, result, attempt FROM steps WHERE run = ?1 AND name = ?2",
                params![run, name],
                |row| {
                    Ok((
                        row.get::<_, String>(0)?,
                        row.get::<_, String>(1)?,
                        row.get::<_, Option<String>>(2)?,
                        row.get::<_, i64>(3)?,
                    ))
                },
            )
            .optional()
        })?;
        let Some((before, state, result, attempt)) = row else { return Ok(Known::Nothing) };
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
        let result = result.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        Ok(Known::Done(result))
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
                   result = NULL, message = NULL",
                params![run, attempt, name, digest, now],
            )
            .map(drop)
        })
    }

    /// A step has ended; gives how long it took.
    pub fn end_step(
        &self,
        name: &str,
        state: StepState,
        result: &Value,
        message: Option<&str>,
    ) -> Result<f64> {
        if !self.records() {
            return Ok(0.0);
        }
        let (run, attempt, now) = (self.run()?, self.attempt(), self.seconds());
        let result = (!result.is_null()).then(|| redact::redact(&result.to_string()));
        let message = message.map(redact::redact);
        self.store().with(|c| {
            // A step that was skipped has no row yet.
            c.query_row(
                "INSERT INTO steps (run, attempt, name, digest, state, result, message, started, ended)
                 VALUES (?1, ?2, ?3, '', ?4, ?5, ?6, ?7, ?7)
                 ON CONFLICT (run, name) DO UPDATE SET state = ?4, result = ?5, message = ?6, ended = ?7
                 RETURNING ended - started",
                params![run, attempt, name, state.name(), result, message, now],
                |row| row.get(0),
            )
        })
    }
}

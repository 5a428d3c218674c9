//! Calls and actions on record: the intent before the change, the outcome after it.

use std::path::PathBuf;

use rusqlite::{Transaction, params};
use serde_json::Value;

use super::journal::Journal;
use crate::base::{Kind, Result, Trouble, redact};
use crate::world::scope::cancel::Cancel;
use crate::world::scope::identity::Identity;
use crate::world::scope::replay::{self, Call};

/// A result that is longer than this is not kept: the call would be made again.
const LONGEST_RESULT: usize = 1 << 20;
impl Journal {
    /// Records what is about to be done.
    pub fn intend(&self, what: &Identity, subjects: &[PathBuf]) -> Result<i64> {
        let (run, attempt) = self.begin()?;
        let call = replay::current();
        let promise = call.as_ref().and_then(|c| c.plan_result()).and_then(|p| serde_json::to_value(p).ok());
        let promise = promise.map(|promise| self.hide(&promise));
        let subjects = serde_json::to_string(subjects).ok();
        let looks = Cancel::current().map(|scope| scope.task_path().take_looks()).unwrap_or_default();
        let looks: Vec<(String, (String, String))> =
            looks.into_iter().map(|looked| (looked.key, self.hide(&looked.result))).collect();
        self.store().durably(|c| {
            let t = c.transaction()?;
            if let Some(call) = &call {
                write_outcomes(&t, call)?;
            }
            for (key, (shown, secret)) in &looks {
                t.prepare_cached(
                    "INSERT INTO calls (run, attempt, step, strand, call, result, secret, proofs)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '[]')",
                )?
                .execute(params![run, attempt, what.step, what.task_path, key, shown, secret])?;
            }
            t.prepare_cached(
                "INSERT INTO actions (run, attempt, name, detail, content, step, strand, place, subjects, call,
                                      promise, secret, started)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
                promise.as_ref().map(|(shown, _)| shown),
                promise.as_ref().map(|(_, secret)| secret),
                self.seconds()
            ])?;
            let row = t.last_insert_rowid();
            t.commit()?;
            Ok(row)
        })
    }

    /// Records how it went. Within a call the row is written with the next one, at the latest with the call's own.
    pub fn outcome(&self, action: i64, outcome: &str) -> Result<()> {
        let (at, outcome) = (self.seconds(), redact::redact(outcome));
        match replay::current() {
            Some(call) => {
                call.ended(action, at, outcome);
                Ok(())
            }
            None => self.store().with(|c| {
                c.prepare_cached("UPDATE actions SET ended = ?2, outcome = ?3 WHERE id = ?1")?
                    .execute(params![action, at, outcome])?;
                Ok(())
            }),
        }
    }

    /// Records the end of a call, and what it gave if it ended well. A call that changed nothing has no row, unless
    /// it was begun before the run was interrupted: then its end is what the next attempt has to know.
    pub fn called(&self, call: &Call, result: Option<Value>) -> Result<()> {
        let Some(run) = self.number() else { return Ok(()) };
        let attempt = self.attempt();
        let last_action = call.last_action();
        if last_action.is_none() && call.begun.is_none() {
            return Ok(());
        }
        let scope = Cancel::current().unwrap_or_default();
        let result = result.map(|r| self.hide(&r)).filter(|(shown, _)| shown.len() <= LONGEST_RESULT);
        let proofs = serde_json::to_string(&call.proofs())
            .map_err(|e| Trouble::new(Kind::Internal, format!("proofs: {e}")))?;
        self.store().with(|c| {
            let t = c.transaction()?;
            write_outcomes(&t, call)?;
            if let Some((shown, secret)) = result {
                t.prepare_cached(
                    "INSERT INTO calls (run, attempt, step, strand, call, result, secret, proofs, action)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute(params![
                    run,
                    attempt,
                    scope.task_path().step,
                    scope.task_path().path,
                    call.key,
                    shown,
                    secret,
                    proofs,
                    last_action
                ])?;
            }
            t.commit()
        })
    }
}

fn write_outcomes(t: &Transaction<'_>, call: &Call) -> rusqlite::Result<()> {
    for (row, at, outcome) in call.outcomes() {
        t.prepare_cached("UPDATE actions SET ended = ?2, outcome = ?3 WHERE id = ?1")?
            .execute(params![row, at, outcome])?;
    }
    Ok(())
}

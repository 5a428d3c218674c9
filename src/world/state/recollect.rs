//! What an interrupted run left on record for the one that goes on with it: its calls with what they gave.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::journal::{Journal, Resumed};
use super::own_lock::OwnLock;
use super::private_record::Recalled;
use crate::base::Result;
use crate::world::scope::postcondition::Postcondition;
use crate::world::scope::replay::{Recorded, Replay};

/// A run to go on with.
#[derive(Debug)]
pub struct Resumption {
    pub run: i64,
    /// Held since before its state was looked at.
    pub lock: OwnLock,
    pub recalled: Recalled,
}

/// A value as it was, if it is still known.
pub(super) fn reveal(recalled: &Recalled, shown: &str, secret: Option<String>) -> Option<Value> {
    let text = match secret.as_deref() {
        Some("") => Some(shown),
        Some(name) => recalled.value(name),
        // Older builds kept no other text than the one without secrets.
        None => Some(shown).filter(|text| !text.contains("***")),
    };
    serde_json::from_str(text?).ok()
}

impl Journal {
    /// Goes on with a run that has ended or was interrupted. Its next attempt is on record once that begins.
    pub fn resume(&self, from: Resumption) -> Result<()> {
        let past_calls = self.recollect(from.run, &from.recalled)?;
        self.keep_lock(from.lock);
        let _ = self.resumes.set(Resumed { run: from.run, past_calls, recalled: from.recalled });
        Ok(())
    }

    /// What the run that is gone on with had kept for its user alone.
    pub(super) fn recalled(&self) -> Option<&Recalled> {
        self.resumes.get().map(|resumed| &resumed.recalled)
    }

    /// The calls outside of finished steps: what an interrupted run would otherwise do again.
    fn recollect(&self, run: i64, recalled: &Recalled) -> Result<Replay> {
        let past_calls = Replay::default();
        let touched = self.touched(run)?;
        self.store().with(|c| {
            let mut ended = c.prepare(
                "SELECT step, strand, call, result, proofs, action, secret FROM calls c
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
                let ended = reveal(recalled, &result, row.get(6)?).map(|result| (result, proofs));
                let key = row.get(2)?;
                past_calls
                    .add((row.get(0)?, row.get(1)?), Recorded { key, ended, promise: None, since: 0.0 });
            }
            let mut begun = c.prepare(
                "SELECT step, strand, call, promise, started, secret FROM actions a
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
                let (promise, secret): (Option<String>, Option<String>) = (row.get(3)?, row.get(5)?);
                let promise = promise.and_then(|text| reveal(recalled, &text, secret));
                let promise = promise.and_then(|promise| serde_json::from_value(promise).ok());
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
        self.store().with(|c| {
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
}

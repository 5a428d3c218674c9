//! Rows of the journal as data.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension as _, Row, params};
use serde::Serialize;
use serde_json::Value;

use crate::base::{Kind, Result, Trouble};
use crate::plan::stored::StoredCommand;
use crate::world::state::holder::{self, Standing};
use crate::world::state::journal::run_lock;
use crate::world::state::store::Store;
use crate::world::who::Process;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Ok,
    Warning,
    Failed,
    Refused,
    Cancelled,
    /// It has no end on record, and nobody is at work on it.
    Interrupted,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    pub id: i64,
    pub kind: String,
    pub script: String,
    pub state: RunState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub user: String,
    pub host: String,
    pub pid: u32,
    /// How often it was begun: one more for each resume.
    pub attempt: i64,
    pub actions: i64,
    /// Unix seconds.
    pub started: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<f64>,
}

/// One run with everything that is known of it.
#[derive(Debug, Serialize)]
pub struct RunDetail {
    #[serde(flatten)]
    pub run: RunRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    pub options: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub modules: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub plan: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spack: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    pub moonstack: String,
    pub steps: Vec<StepRow>,
    pub journal: Vec<ActionRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRow {
    pub name: String,
    pub state: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub result: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Kind, message, hints and facts of what failed.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub error: Value,
    pub attempt: i64,
    pub started: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<f64>,
}

impl StepRow {
    /// Whether it failed in this attempt, also where it was taken back then.
    pub fn failed_in(&self, attempt: i64) -> bool {
        self.attempt == attempt && (self.state == "failed" || !self.error.is_null())
    }

    /// What is known of its failure beyond the message: the hints, the first error of each package, the logs.
    pub fn explained(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut lines: Vec<String> =
            list(&self.error["hints"]).iter().filter_map(text).map(|hint| format!("hint: {hint}")).collect();
        let facts = &self.error["facts"];
        for failed in list(&facts["failed"]) {
            let name = text(&failed["name"]).unwrap_or_default();
            let first = list(&failed["errors"]).iter().find_map(text);
            lines.extend(first.map(|error| format!("{name}: {}", error.trim())));
            lines.extend(text(&failed["log"]).map(|log| format!("{name}: log: {log}")));
        }
        lines.extend(text(&facts["log"]).map(|log| format!("log: {log}")));
        let mut seen = BTreeSet::new();
        lines.retain(|line| seen.insert(line.clone()));
        lines
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActionRow {
    pub id: i64,
    pub action: String,
    pub what: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    #[serde(rename = "strand", skip_serializing_if = "String::is_empty")]
    pub task_path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    pub attempt: i64,
    pub started: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<f64>,
    /// None: it was begun, and how it went is not on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
}

const COLUMNS: &str = "id, kind, script, exit, message, user, host, pid, attempt, started, ended,
  (SELECT count(*) FROM actions WHERE run = runs.id), boot, began";

/// Whether somebody is at work on a run that has no end on record: who is holds its lock.
fn is_under_way(state: &Path, id: i64, process: &Process) -> bool {
    match holder::standing(&run_lock(state, id)) {
        Standing::Held(_) => true,
        Standing::Free if process.boot.is_some() => false,
        // Older builds hold none; what they began on another machine is taken as over.
        Standing::Free => process.lives().unwrap_or(false),
        Standing::Unknown => process.lives().unwrap_or(true),
    }
}

fn run_row(state: &Path, row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let (id, exit, ended): (i64, Option<u8>, Option<f64>) = (row.get(0)?, row.get(3)?, row.get(10)?);
    let process = Process { host: row.get(6)?, pid: row.get(7)?, boot: row.get(12)?, began: row.get(13)? };
    let state = match (ended, exit) {
        (Some(_), Some(0)) => RunState::Ok,
        (Some(_), Some(1)) => RunState::Warning,
        (Some(_), Some(4 | 5)) => RunState::Refused,
        (Some(_), Some(130)) => RunState::Cancelled,
        (Some(_), _) => RunState::Failed,
        (None, _) if is_under_way(state, id, &process) => RunState::Running,
        (None, _) => RunState::Interrupted,
    };
    Ok(RunRow {
        id,
        kind: row.get(1)?,
        script: row.get(2)?,
        state,
        exit,
        message: row.get(4)?,
        user: row.get(5)?,
        host: process.host,
        pid: process.pid,
        attempt: row.get(8)?,
        started: row.get(9)?,
        ended,
        actions: row.get(11)?,
    })
}

/// Newest first.
pub fn list(store: &Store, script: Option<&str>, failed: bool, limit: usize) -> Result<Vec<RunRow>> {
    let all: Vec<RunRow> = store.with(|c| {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE ?1 IS NULL OR script = ?1 ORDER BY id DESC");
        let mut found = c.prepare(&sql)?;
        let rows = found.query_map(params![script], |row| run_row(store.folder(), row))?;
        let good = |row: &RunRow| matches!(row.state, RunState::Ok | RunState::Running);
        rows.filter(|row| !failed || row.as_ref().map_or(true, |r| !good(r))).take(limit).collect()
    })?;
    Ok(all)
}

/// A run by its number.
pub fn run(store: &Store, id: i64) -> Result<RunRow> {
    let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1");
    let found = store.with(|c| c.query_row(&sql, [id], |row| run_row(store.folder(), row)).optional())?;
    found.ok_or_else(|| {
        Trouble::new(Kind::NotFound, format!("there is no run {id}")).hint("`moonstack runs` lists them")
    })
}

/// The same for whoever holds the run's lock: nobody else is at work on it.
pub fn run_of_lock(store: &Store, id: i64) -> Result<RunRow> {
    let row = run(store, id)?;
    let state = if matches!(row.state, RunState::Running) { RunState::Interrupted } else { row.state };
    Ok(RunRow { state, ..row })
}

/// Digests of the script of a run, and of its modules by name, as the journal has them.
pub fn digests(store: &Store, id: i64) -> Result<(Option<String>, BTreeMap<String, String>)> {
    let (script, modules): (Option<String>, Option<String>) = store.with(|c| {
        c.query_row("SELECT digest, modules FROM runs WHERE id = ?1", [id], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
    })?;
    Ok((script, modules.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()))
}

pub fn detail(store: &Store, id: i64) -> Result<RunDetail> {
    let run = run(store, id)?;
    let json = |text: Option<String>| text.and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default();
    store.with(|c| {
        let steps = c
            .prepare("SELECT name, state, result, message, attempt, started, ended, error FROM steps WHERE run = ?1 ORDER BY id")?
            .query_map([id], |row| {
                Ok(StepRow {
                    name: row.get(0)?,
                    state: row.get(1)?,
                    result: json(row.get(2)?),
                    message: row.get(3)?,
                    attempt: row.get(4)?,
                    started: row.get(5)?,
                    ended: row.get(6)?,
                    error: json(row.get(7)?),
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        let journal = c
            .prepare(
                "SELECT id, name, detail, content, step, strand, place, attempt, started, ended, outcome
                 FROM actions WHERE run = ?1 ORDER BY id",
            )?
            .query_map([id], |row| {
                Ok(ActionRow {
                    id: row.get(0)?,
                    action: row.get(1)?,
                    what: row.get(2)?,
                    content: row.get(3)?,
                    step: row.get(4)?,
                    task_path: row.get(5)?,
                    place: row.get(6)?,
                    attempt: row.get(7)?,
                    started: row.get(8)?,
                    ended: row.get(9)?,
                    outcome: row.get(10)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        c.query_row(
            "SELECT digest, options, modules, plan, spack, log, version FROM runs WHERE id = ?1",
            [id],
            |row| {
                Ok(RunDetail {
                    digest: row.get(0)?,
                    options: json(row.get(1)?),
                    modules: json(row.get(2)?),
                    plan: json(row.get(3)?),
                    spack: row.get(4)?,
                    log: row.get(5)?,
                    moonstack: row.get(6)?,
                    run,
                    steps,
                    journal,
                })
            },
        )
    })
}

/// The command line to make the same run again.
pub fn command(store: &Store, id: i64) -> Result<StoredCommand> {
    let text = store.with(|c| {
        c.query_row("SELECT command FROM runs WHERE id = ?1", [id], |row| row.get::<_, Option<String>>(0))
            .optional()
    })?;
    let stored = text.flatten().and_then(|text| serde_json::from_str::<StoredCommand>(&text).ok());
    let stored = stored.ok_or_else(|| {
        Trouble::new(Kind::Unsupported, format!("run {id} cannot be run again: it was no workflow or script"))
            .hint("what `eval`, `call` and the REPL did is on record, but not how to repeat it")
    })?;
    if stored.words.iter().any(|word| word.contains("***")) {
        return Err(Trouble::new(
            Kind::Refused,
            format!("run {id} had a secret among its options, which the journal does not have"),
        )
        .hint("start it anew with `moonstack run`"));
    }
    Ok(stored)
}

/// Folders in which a run was writing when it was interrupted.
pub fn unfinished_folders(store: &Store, id: i64) -> Result<BTreeSet<PathBuf>> {
    store.with(|c| {
        let mut rows = c.prepare(
            "SELECT subjects FROM actions WHERE run = ?1 AND name = 'write_file' AND outcome IS NULL
             AND subjects IS NOT NULL",
        )?;
        let texts = rows.query_map([id], |row| row.get::<_, String>(0))?;
        let paths =
            texts.flatten().filter_map(|text| serde_json::from_str::<Vec<PathBuf>>(&text).ok()).flatten();
        Ok(paths.filter_map(|path| path.parent().map(Path::to_owned)).collect())
    })
}

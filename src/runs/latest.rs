//! The newest runs of a workflow or of a command line.

use rusqlite::{OptionalExtension as _, params};

use super::read::{self, RunRow};
use crate::base::{Result, redact};
use crate::plan::stored::StoredCommand;
use crate::world::state::store::Store;

/// Older runs than so many of the same workflow are not looked through for a command line.
const LOOKED_THROUGH: i64 = 2_000;

/// The newest run of a workflow with these options, whatever else was asked of moonstack with it.
pub fn of_command(store: &Store, script: &str, options: &[String]) -> Result<Option<RunRow>> {
    let wanted = comparable(options);
    let runs: Vec<(i64, Option<String>)> = store.with(|c| {
        c.prepare(
            "SELECT id, command FROM runs WHERE script = ?1 AND kind IN ('run', 'apply') ORDER BY id DESC LIMIT ?2",
        )?
        .query_map(params![script, LOOKED_THROUGH], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
    })?;
    let found = runs.iter().find(|(_, command)| has_options(command.as_ref(), &wanted));
    found.map(|(id, _)| read::run(store, *id)).transpose()
}

/// The options that make a difference to what is done, as the journal has them.
fn comparable(words: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let name = word.split('=').next().unwrap_or_default();
        match name {
            "--summary" | "--notify" => {}
            "--wait" | "--report" | "--metrics" if word.contains('=') => {}
            "--wait" | "--report" | "--metrics" => drop(rest.next()),
            _ => kept.push(redact::redact(word)),
        }
    }
    kept
}

/// The exit codes of a workflow's runs with these options that did their work, newest first, with the times of their
/// ends; of those before a run, if one is given. What ran with other options says nothing of these.
pub fn exits(store: &Store, script: &str, options: &[String], before: Option<i64>) -> Result<Vec<(u8, f64)>> {
    let wanted = comparable(options);
    let runs: Vec<(Option<String>, u8, f64)> = store.with(|c| {
        c.prepare(
            "SELECT command, exit, ended FROM runs WHERE script = ?1 AND (?2 IS NULL OR id < ?2) AND exit IS NOT NULL
             AND exit NOT IN (4, 5, 130) AND ended IS NOT NULL ORDER BY id DESC LIMIT ?3",
        )?
        .query_map(params![script, before, LOOKED_THROUGH], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect()
    })?;
    Ok(runs
        .into_iter()
        // A run that could not begin has no command on record, and may have been any.
        .filter(|(command, ..)| command.is_none() || has_options(command.as_ref(), &wanted))
        .map(|(_, exit, ended)| (exit, ended))
        .collect())
}

fn has_options(command: Option<&String>, wanted: &[String]) -> bool {
    let stored = command.and_then(|text| serde_json::from_str::<StoredCommand>(text).ok());
    stored.is_some_and(|s| s.words.get(1..).is_some_and(|words| comparable(words) == wanted))
}

/// When a run of this name last ended with its work done, in Unix seconds.
pub fn success(store: &Store, script: &str) -> Result<Option<f64>> {
    store.with(|c| {
        c.query_row("SELECT max(ended) FROM runs WHERE script = ?1 AND exit IN (0, 1)", [script], |row| {
            row.get::<_, Option<f64>>(0)
        })
        .optional()
        .map(Option::flatten)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_moonstack_make_no_difference() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (a, b, same) in [
            ("--json", "--json --summary", true),
            ("--json", "--report /r --json --metrics=/m --wait 10m", true),
            ("--json", "--only disk --json", false),
            ("--only disk", "--only git", false),
        ] {
            assert_eq!(comparable(&words(a)) == comparable(&words(b)), same, "{a} and {b}");
        }
    }
}

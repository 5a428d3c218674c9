//! Which snapshots there are, each with the verdict on it, and the history of an environment. Snapshots of generations
//! stand with each generation's own environment; asked for by the name of the generations, they are one history.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check;
use super::restore_context::Grounds;
use crate::base::argument::Span;
use crate::base::nearest::nearest;
use crate::base::{Kind, Result, Trouble, words};
use crate::site::Cx;
use crate::snapshot::record::row::{SnapshotRow, seconds};
use crate::snapshot::store::index::{Shelf, StoredSnapshot};

/// Lists snapshots, oldest first, with the verdict on each. Mirrors that are not folders are not asked for it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ListArgs {
    /// Only of this environment, its name or folder, or of these generations with what they were adopted from.
    pub env: Option<String>,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only taken within this time: seconds or words such as `"30d"`.
    pub within: Option<Span>,
}

/// The folders of the generations of a name, each with its number.
pub type Generations = BTreeMap<PathBuf, u64>;

/// Who knows of generations lives above and is handed in: their folders by their name, none for another name.
pub type FindGenerations = fn(&Cx, &str) -> Generations;

pub async fn list(cx: Cx, args: ListArgs, generations: FindGenerations) -> Result<Vec<SnapshotRow>> {
    cx.blocking(move |cx| {
        let mut grounds = Grounds::default();
        let mut out = Vec::new();
        for (mut row, kept) in
            found(&cx, &args, &args.env.as_deref().map(|name| generations(&cx, name)).unwrap_or_default())?
        {
            if let Some(kept) = kept {
                judge(&cx, &mut grounds, &mut row, &kept);
            }
            out.push(row);
        }
        Ok(out)
    })
    .await
}

/// What cannot be judged is listed all the same.
fn judge(cx: &Cx, grounds: &mut Grounds, row: &mut SnapshotRow, kept: &StoredSnapshot) {
    match check::nearby(cx, grounds, kept) {
        Ok(found) => {
            row.verdict = Some(found.verdict);
            row.not_looked = found.not_looked;
            row.damaged = row.damaged.take().or_else(|| found.problems.into_iter().next());
        }
        Err(trouble) => row.not_looked.push(trouble.message().to_owned()),
    }
}

/// The snapshots that are asked for; one that cannot be read is there as a row alone.
fn found(cx: &Cx, args: &ListArgs, line: &Generations) -> Result<Vec<(SnapshotRow, Option<StoredSnapshot>)>> {
    let oldest = args.within.as_ref().map(|span| cx.world.clock.seconds() - span.0.as_secs_f64());
    let mut out = Vec::new();
    let mut names = Vec::new();
    let mut known = false;
    for shelf in Shelf::all(cx)? {
        let env = shelf.env().clone();
        let generation = line.get(&env.path).copied();
        if args.env.as_deref().is_some_and(|name| generation.is_none() && !shelf.is_called(name)) {
            names.push(env.name.clone());
            continue;
        }
        known = true;
        for number in shelf.numbers()? {
            let (mut row, kept) = match shelf.read(number) {
                Ok(kept) => {
                    let damaged = shelf.problem.as_ref().map(|trouble| trouble.message().to_owned());
                    (SnapshotRow { damaged, ..SnapshotRow::of(&kept) }, Some(kept))
                }
                Err(trouble) => (SnapshotRow::damaged(&shelf, number, &trouble), None),
            };
            row.generation = generation;
            let young = oldest.is_none_or(|oldest| seconds(&row.created).is_none_or(|at| at >= oldest));
            if young && args.tag.as_ref().is_none_or(|tag| row.tags.contains(tag)) {
                out.push((row, kept));
            }
        }
    }
    match &args.env {
        Some(name) if !known => Err(nothing(name, &names)),
        // Within one shelf, numbers say the order; between several, only the time.
        Some(_) if !line.is_empty() => {
            out.sort_by(|(a, _), (b, _)| {
                let at = |row: &SnapshotRow| seconds(&row.created).unwrap_or(0.0);
                at(a).total_cmp(&at(b))
            });
            Ok(out)
        }
        _ => Ok(out),
    }
}

fn nothing(name: &str, names: &[String]) -> Trouble {
    Trouble::new(Kind::NotFound, format!("there are no snapshots of '{name}'")).hint(
        match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("moonstack snapshot create {name} takes one"),
        },
    )
}

/// The history of an environment: its snapshots, newest first, as one line each. By the name of generations, those of
/// all of them and of what they were adopted from.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LogArgs {
    /// Its name or folder, or the name of generations.
    pub env: String,
}

/// One line of a history.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogRow {
    pub snapshot: String,
    /// Of which generation it is, asked for by the name of the generations; 1 for what was adopted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// How long ago, in words.
    pub age: String,
    pub user: String,
    /// The run that took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    pub specs: usize,
    /// `good`, `pinned` and its tags.
    pub marks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

pub async fn log(cx: Cx, args: LogArgs, generations: FindGenerations) -> Result<Vec<LogRow>> {
    cx.blocking(move |cx| {
        let line = generations(&cx, &args.env);
        let rows = found(&cx, &ListArgs { env: Some(args.env), ..ListArgs::default() }, &line)?;
        let now = cx.world.clock.seconds();
        Ok(rows.into_iter().rev().map(|(row, kept)| told(row, kept.as_ref(), now)).collect())
    })
    .await
}

fn told(row: SnapshotRow, kept: Option<&StoredSnapshot>, now: f64) -> LogRow {
    let age = seconds(&row.created).map(|at| (now - at).max(0.0));
    let mut marks: Vec<String> = Vec::new();
    marks.extend(row.good.then(|| "good".to_owned()));
    marks.extend(row.pinned.then(|| "pinned".to_owned()));
    marks.extend(row.damaged.is_some().then(|| "damaged".to_owned()));
    marks.extend(row.tags);
    LogRow {
        snapshot: row.snapshot,
        generation: row.generation,
        age: age.map_or_else(String::new, |s| words::span(std::time::Duration::from_secs_f64(s.floor()))),
        user: kept.map_or_else(String::new, |k| k.snapshot.user.clone()),
        run: kept.and_then(|k| k.snapshot.run),
        specs: row.specs,
        marks,
        description: row.description,
    }
}

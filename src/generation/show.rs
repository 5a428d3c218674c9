//! Looks at generations.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Result;
use crate::generation::series::entry::{LedgerEntry, Progress, Publication};
use crate::generation::series::ledger::Ledger;
use crate::generation::series::owner::Owner;
use crate::generation::series::place::Place;
use crate::site::Cx;
use crate::spack::lock::diff::rows::PackageDiff;
use crate::spack::read::env_diff;

/// Lists generations, oldest first.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ListArgs {
    /// Name of the generations; left out, all of them.
    pub name: Option<String>,
}

/// A generation in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GenerationRow {
    pub name: String,
    pub number: u64,
    /// Users are on it.
    pub current: bool,
    pub progress: Progress,
    /// It was proven while users were on it.
    pub good: bool,
    pub pinned: bool,
    /// When it was begun (RFC 3339).
    pub created: String,
    /// When users were moved away from it, the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Why it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Since when it is being removed (RFC 3339), where that did not come to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removing: Option<String>,
    /// The Spack that it is of, where that is not the one which is used now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of: Option<PathBuf>,
}

pub async fn list(cx: Cx, args: ListArgs) -> Result<Vec<GenerationRow>> {
    cx.blocking(move |cx| {
        let ledgers = match &args.name {
            Some(name) => vec![Ledger::existing(&cx, name)?],
            None => Place::names(&cx)?
                .iter()
                .map(|name| Ledger::read(&cx, Place::of(&cx, name)?))
                .collect::<Result<Vec<_>>>()?,
        };
        let mut out = Vec::new();
        for ledger in &ledgers {
            // A broken link is told of by `show`; the list is still worth seeing.
            let current = ledger.place.current(&cx).unwrap_or(None);
            let of = foreign(&cx, ledger);
            let rows = ledger.entries().iter().map(|(number, entry)| row(ledger, *number, current, entry));
            out.extend(rows.map(|row| GenerationRow { of: of.clone(), ..row }));
        }
        Ok(out)
    })
    .await
}

/// The Spack that they are of, unless it is this one. A list is worth seeing where there is no Spack at all.
fn foreign(cx: &Cx, ledger: &Ledger) -> Option<PathBuf> {
    let owner = ledger.owner()?;
    (!owner.is_here(cx).unwrap_or(true)).then(|| owner.spack.clone())
}

pub fn row(ledger: &Ledger, number: u64, current: Option<u64>, entry: &LedgerEntry) -> GenerationRow {
    GenerationRow {
        name: ledger.place.name.clone(),
        number,
        current: current == Some(number),
        progress: entry.progress,
        good: entry.good,
        pinned: entry.pinned,
        created: entry.created.clone(),
        left: ledger.left(number).map(str::to_owned),
        description: entry.description.clone(),
        why: entry.why.clone(),
        removing: entry.removing.clone(),
        of: None,
    }
}

/// What is known of a generation.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ShowArgs {
    /// Name of the generations.
    pub name: String,
    /// Which one; left out, the one that users are on.
    pub number: Option<u64>,
}

/// A generation with all that is known of it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GenerationDetails {
    #[serde(flatten)]
    pub row: GenerationRow,
    /// Its folder: an environment.
    pub path: PathBuf,
    /// The link that users follow.
    pub link: PathBuf,
    /// What it was made from.
    pub from: String,
    /// The Spack and the store that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    pub user: String,
    pub host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// When users were moved to it.
    pub publications: Vec<Publication>,
}

pub async fn show(cx: Cx, args: ShowArgs) -> Result<GenerationDetails> {
    cx.blocking(move |cx| {
        let ledger = Ledger::existing(&cx, &args.name)?;
        let place = &ledger.place;
        let current = place.current(&cx)?;
        let number = args.number.or(current).or(ledger.newest(Progress::Begun)).unwrap_or(1);
        let entry = ledger.entry(number)?;
        Ok(GenerationDetails {
            row: GenerationRow { of: foreign(&cx, &ledger), ..row(&ledger, number, current, entry) },
            path: place.generation(number),
            link: place.link.clone(),
            from: entry.from.clone(),
            owner: ledger.owner().cloned(),
            user: entry.user.clone(),
            host: entry.host.clone(),
            run: entry.run,
            publications: ledger.publications().iter().filter(|p| p.number == number).cloned().collect(),
        })
    })
    .await
}

/// What differs between two generations.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DiffArgs {
    /// Name of the generations.
    pub name: String,
    /// What was.
    pub from: u64,
    /// What is; left out, what users are on.
    pub to: Option<u64>,
}

pub async fn diff(cx: Cx, args: DiffArgs) -> Result<Vec<PackageDiff>> {
    let (from, to) = {
        let ledger = Ledger::existing(&cx, &args.name)?;
        let to =
            args.to.or(ledger.place.current(&cx)?).or(ledger.newest(Progress::Solved)).unwrap_or(args.from);
        ledger.entry(args.from)?;
        ledger.entry(to)?;
        let lock = |number| ledger.place.generation(number).display().to_string();
        (lock(args.from), lock(to))
    };
    env_diff::diff(cx, env_diff::DiffArgs { from, to: Some(to) }).await
}

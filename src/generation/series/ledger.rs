//! What is known of the generations of one line beyond what lies in their folders: how far each has come, what users
//! were on and when.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::base::nearest::nearest;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::locks;
use crate::world::scope::replay;
use crate::world::state::own_lock::OwnLock;
use crate::world::{Action, who};

const FILE: &str = "generations.json";

/// How far a generation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// Its folder is there, its lock is not yet.
    Begun,
    /// Its lock says what it will be.
    Solved,
    /// Everything is installed, views and modules are made.
    Built,
    /// All of that was looked at.
    Proven,
    /// It could not be built or proven.
    Broken,
}

/// What is known of one generation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LedgerEntry {
    pub progress: Progress,
    /// When it was begun (RFC 3339).
    pub created: String,
    pub user: String,
    pub host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
    /// The call of the run, as its journal names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// What it was made from: an environment, or another generation.
    pub from: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// It is never removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// It was proven while users were on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub good: bool,
    /// Why it is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One time that users were moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Publication {
    pub number: u64,
    /// What they were on before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// When (RFC 3339).
    pub at: String,
    pub user: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<i64>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct LedgerFile {
    #[serde(default)]
    format: u32,
    last: u64,
    /// The environment that the first one was made from, also when that one is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<PathBuf>,
    #[serde(default)]
    generations: BTreeMap<u64, LedgerEntry>,
    #[serde(default)]
    publications: Vec<Publication>,
}

const FORMAT: u32 = 1;
/// Older ones say nothing that anybody asks for.
const PUBLICATIONS: usize = 1000;

/// The generations of one line.
pub struct Ledger {
    pub place: Place,
    kept: LedgerFile,
}

impl Ledger {
    /// As it is now; an empty one if there are none.
    pub fn read(cx: &Cx, place: Place) -> Result<Ledger> {
        let path = place.folder.join(FILE);
        let bytes = match cx.world.eyes.read(&path) {
            Err(trouble) if trouble.is(Kind::NotFound) => {
                return Ok(Ledger { place, kept: LedgerFile { format: FORMAT, ..LedgerFile::default() } });
            }
            other => other?,
        };
        let kept: LedgerFile = serde_json::from_slice(&bytes).map_err(|e| {
            Trouble::new(Kind::Corrupt, format!("{} is damaged: {e}", path.display()))
                .hint("restore it from a backup; what users are on does not depend on it")
                .fact("path", path.display().to_string())
        })?;
        if kept.format > FORMAT {
            let message =
                format!("{} has format {}; this build knows up to {FORMAT}", path.display(), kept.format);
            return Err(
                Trouble::new(Kind::UnknownFormat, message).hint("use the newer moonstack that wrote it")
            );
        }
        Ok(Ledger { place, kept })
    }

    /// One that must be there.
    pub fn existing(cx: &Cx, name: &str) -> Result<Ledger> {
        let ledger = Ledger::read(cx, Place::of(cx, name)?)?;
        if ledger.kept.last > 0 {
            return Ok(ledger);
        }
        let names = Place::names(cx)?;
        Err(match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => Trouble::new(Kind::NotFound, format!("there are no generations of '{name}'"))
                .hint(format!("did you mean '{near}'?")),
            None => ledger.none(),
        })
    }

    fn none(&self) -> Trouble {
        let name = &self.place.name;
        Trouble::new(Kind::NotFound, format!("there are no generations of '{name}'"))
            .hint(format!("moonstack generation adopt {name} makes an environment the first one"))
    }

    /// Takes turns with everybody else who works on these generations, and reads how they are then.
    pub async fn locked(cx: &Cx, name: &str) -> Result<(Ledger, Option<OwnLock>)> {
        let place = Place::of(cx, name)?;
        let lock = locks::named(cx, &format!("generations {}", place.folder.display())).await?;
        Ok((Ledger::read(cx, place)?, lock))
    }

    /// The last number that was given away; none was before the first.
    pub fn last(&self) -> u64 {
        self.kept.last
    }

    /// Lets others at the generations of the line while this one is worked on, which may take hours: users must be able
    /// to go back meanwhile. Gives the turn at this generation.
    pub async fn work_on(cx: &Cx, place: &Place, number: u64) -> Result<Option<OwnLock>> {
        locks::named(cx, &format!("generation {}", place.generation(number).display())).await
    }

    /// The folder of the environment that these are the generations of.
    pub fn origin(&self) -> Option<&Path> {
        let first = || self.kept.generations.values().next().map(|entry| Path::new(&entry.from));
        self.kept.origin.as_deref().or_else(first)
    }

    pub fn entries(&self) -> &BTreeMap<u64, LedgerEntry> {
        &self.kept.generations
    }

    pub fn publications(&self) -> &[Publication] {
        &self.kept.publications
    }

    pub fn entry(&self, number: u64) -> Result<&LedgerEntry> {
        self.kept.generations.get(&number).ok_or_else(|| {
            if self.kept.generations.is_empty() {
                return self.none();
            }
            let there: Vec<String> = self.kept.generations.keys().map(u64::to_string).collect();
            Trouble::new(Kind::NotFound, format!("'{}' has no generation {number}", self.place.name))
                .hint(format!("there are {}", there.join(", ")))
        })
    }

    /// The newest that was proven while users were on it.
    pub fn last_good(&self) -> Option<u64> {
        self.kept.generations.iter().rev().find(|(_, entry)| entry.good).map(|(number, _)| *number)
    }

    /// The newest that has come this far and is not broken.
    pub fn newest(&self, least: Progress) -> Option<u64> {
        let usable = |e: &LedgerEntry| e.progress >= least && e.progress != Progress::Broken;
        self.kept.generations.iter().rev().find(|(_, entry)| usable(entry)).map(|(number, _)| *number)
    }

    /// What users were on before they were moved to what they are on now.
    pub fn previous(&self, current: u64) -> Option<u64> {
        let last = self.kept.publications.iter().rev().find(|p| p.number == current)?;
        last.before.filter(|number| self.kept.generations.contains_key(number))
    }

    /// When users were moved away from it, the last time.
    pub fn left(&self, number: u64) -> Option<&str> {
        let last = self.kept.publications.iter().rev().find(|p| p.before == Some(number))?;
        Some(&last.at)
    }

    /// Takes the next number.
    pub async fn begin(&mut self, cx: &Cx, from: String, description: Option<String>) -> Result<u64> {
        let number = self.kept.last.max(self.kept.generations.keys().last().copied().unwrap_or(0)) + 1;
        let entry = LedgerEntry {
            progress: Progress::Begun,
            created: cx.world.clock.now().to_string(),
            user: who::user(),
            host: who::host(),
            run: cx.site.journal.number(),
            call: replay::current().map(|call| call.key.clone()),
            from,
            description,
            pinned: false,
            good: false,
            why: None,
        };
        if self.kept.origin.is_none() {
            self.kept.origin = self.origin().map(Path::to_owned).or_else(|| Some(PathBuf::from(&entry.from)));
        }
        self.kept.last = number;
        self.kept.generations.insert(number, entry);
        if !cx.world.eyes.is_folder(&self.place.folder)? {
            cx.world.keep(Action::MakeFolder { path: self.place.folder.clone() }).await?;
        }
        self.save(cx).await?;
        Ok(number)
    }

    pub async fn change(
        &mut self,
        cx: &Cx,
        number: u64,
        change: impl FnOnce(&mut LedgerEntry),
    ) -> Result<()> {
        self.entry(number)?;
        if let Some(entry) = self.kept.generations.get_mut(&number) {
            change(entry);
        }
        self.save(cx).await
    }

    pub async fn published(&mut self, cx: &Cx, number: u64, before: Option<u64>) -> Result<()> {
        self.kept.publications.push(Publication {
            number,
            before,
            at: cx.world.clock.now().to_string(),
            user: who::user(),
            run: cx.site.journal.number(),
        });
        let surplus = self.kept.publications.len().saturating_sub(PUBLICATIONS);
        self.kept.publications.drain(..surplus);
        self.save(cx).await
    }

    pub async fn forget(&mut self, cx: &Cx, number: u64) -> Result<()> {
        self.kept.generations.remove(&number);
        self.save(cx).await
    }

    async fn save(&self, cx: &Cx) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(&self.kept)
            .map_err(|e| Trouble::new(Kind::Internal, format!("generations: {e}")))?;
        let path = self.place.folder.join(FILE);
        cx.world.keep(Action::WriteFile { path, bytes, mode: None, varies: true }).await?;
        Ok(())
    }
}

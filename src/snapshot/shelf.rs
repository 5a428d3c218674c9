//! Where the snapshots of each environment stand: documents by number, and beside them one small file with what may
//! change about them (tags, pins) and the last number that was given away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::{Snapshot, Subject};
use crate::base::{Kind, Result, Trouble, digest};
use crate::site::Cx;
use crate::spack::guard;
use crate::world::own_lock::OwnLock;
use crate::world::{Action, Eyes};

/// What may change about a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Marks {
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// It is never deleted or pruned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// The environment was proven to work in this state; of several the last counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub good: bool,
}

/// The file beside the documents.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ledger {
    env: Subject,
    last: u64,
    #[serde(default)]
    marks: BTreeMap<u64, Marks>,
}

/// A snapshot as it is kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// SHA-256 of its document.
    pub id: String,
    pub snapshot: Snapshot,
    pub marks: Marks,
    pub file: PathBuf,
    /// The last good one of its environment.
    pub last_good: bool,
}

/// The snapshots of one environment.
pub struct Shelf<'a> {
    cx: &'a Cx,
    pub folder: PathBuf,
    ledger: Ledger,
}

fn root(cx: &Cx) -> PathBuf {
    cx.site.state.join("snapshots/environments")
}

/// A folder's name that a person recognises and no other environment has.
fn key(env: &Subject) -> String {
    let plain: String = env
        .name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .collect();
    let tail: String = plain.chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
    let digest = digest::bytes(env.path.as_os_str().as_encoded_bytes());
    format!("{}-{}", tail.trim_start_matches(['.', '_']), digest.get(..8).unwrap_or(&digest))
}

impl<'a> Shelf<'a> {
    /// The shelf of an environment; an empty one if it has no snapshots.
    pub fn of(cx: &'a Cx, env: &Subject) -> Result<Shelf<'a>> {
        let folder = root(cx).join(key(env));
        let ledger = ledger(&*cx.world.eyes, &folder)?;
        let ledger = ledger.unwrap_or_else(|| Ledger { env: env.clone(), last: 0, marks: BTreeMap::new() });
        Ok(Shelf { cx, folder, ledger })
    }

    /// All shelves, by name.
    pub fn all(cx: &'a Cx) -> Result<Vec<Shelf<'a>>> {
        let eyes = &*cx.world.eyes;
        let root = root(cx);
        if !eyes.is_folder(&root) {
            return Ok(Vec::new());
        }
        let mut out = Vec::new();
        for name in eyes.list(&root)? {
            let folder = root.join(name);
            let Some(ledger) = ledger(eyes, &folder)? else { continue };
            out.push(Shelf { cx, folder, ledger });
        }
        out.sort_by(|a, b| {
            (&a.ledger.env.name, &a.ledger.env.path).cmp(&(&b.ledger.env.name, &b.ledger.env.path))
        });
        Ok(out)
    }

    pub fn env(&self) -> &Subject {
        &self.ledger.env
    }

    /// The numbers that are there, rising.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        let eyes = &*self.cx.world.eyes;
        if !eyes.is_folder(&self.folder) {
            return Ok(Vec::new());
        }
        let number = |name: &String| name.strip_suffix(".json").and_then(|n| n.parse::<u64>().ok());
        let mut out: Vec<u64> = eyes.list(&self.folder)?.iter().filter_map(number).collect();
        out.sort_unstable();
        Ok(out)
    }

    fn place(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.json"))
    }

    /// One snapshot of this environment.
    pub fn read(&self, number: u64) -> Result<Kept> {
        let file = self.place(number);
        let bytes = self
            .cx
            .world
            .eyes
            .read(&file)
            .map_err(|trouble| if trouble.is(Kind::NotFound) { self.unknown(number) } else { trouble })?;
        let snapshot = Snapshot::parse(&bytes, &file.display().to_string())?;
        if snapshot.number != number || snapshot.env.path != self.ledger.env.path {
            let message = format!("{} is the document of {}", file.display(), snapshot.title());
            return Err(Trouble::new(Kind::Corrupt, message)
                .hint("it was copied here by hand; `moonstack snapshot import` takes one in"));
        }
        let marks = self.ledger.marks.get(&number).cloned().unwrap_or_default();
        let last_good = self.last_good() == Some(number);
        Ok(Kept { id: digest::bytes(&bytes), snapshot, marks, file, last_good })
    }

    fn unknown(&self, number: u64) -> Trouble {
        let name = &self.ledger.env.name;
        let there: Vec<String> = self.numbers().unwrap_or_default().iter().map(u64::to_string).collect();
        let hint = if there.is_empty() {
            "it has none yet".to_owned()
        } else {
            format!("there are {}", there.join(", "))
        };
        Trouble::new(Kind::NotFound, format!("environment '{name}' has no snapshot {number}")).hint(hint)
    }

    pub fn marks(&self, number: u64) -> Marks {
        self.ledger.marks.get(&number).cloned().unwrap_or_default()
    }

    /// The number of the last one that was marked as good and is still there.
    pub fn last_good(&self) -> Option<u64> {
        let good = self.ledger.marks.iter().filter(|(_, marks)| marks.good).map(|(number, _)| *number);
        good.filter(|number| self.cx.world.eyes.is_file(&self.place(*number))).max()
    }

    /// Takes turns with everybody else who changes snapshots, whatever they are of: objects are shared. Gives the
    /// shelf as it is then.
    pub async fn locked(cx: &'a Cx, env: &Subject) -> Result<(Shelf<'a>, Option<OwnLock>)> {
        let lock = guard::named(cx, "snapshots").await?;
        Ok((Shelf::of(cx, env)?, lock))
    }

    /// Writes a new snapshot under the next number.
    pub async fn add(&mut self, mut snapshot: Snapshot, marks: Marks) -> Result<Kept> {
        let number = self.ledger.last.max(self.numbers()?.last().copied().unwrap_or(0)) + 1;
        snapshot.number = number;
        if !self.cx.world.eyes.is_folder(&self.folder) {
            self.cx.world.keep(Action::MakeFolder { path: self.folder.clone() }).await?;
        }
        self.ledger.last = number;
        self.ledger.marks.insert(number, marks);
        // First the number is taken: after a crash in between, it is missing, and never given twice.
        self.save().await?;
        let what = format!("snapshot of {}", snapshot.env.name);
        let bytes = snapshot.to_bytes()?;
        self.cx.world.perform(Action::WriteRecord { path: self.place(number), bytes, what }).await?;
        self.read(number)
    }

    /// Changes the marks of one.
    pub async fn mark(&mut self, number: u64, change: impl FnOnce(&mut Marks)) -> Result<Kept> {
        self.read(number)?;
        let marks = self.ledger.marks.entry(number).or_default();
        let before = marks.clone();
        change(marks);
        if *marks != before {
            self.save().await?;
        }
        self.read(number)
    }

    /// Removes one. What it needed alone is swept afterwards.
    pub async fn remove(&mut self, number: u64) -> Result<()> {
        self.cx.world.perform(Action::RemovePath { path: self.place(number) }).await?;
        if self.ledger.marks.remove(&number).is_some() {
            self.save().await?;
        }
        Ok(())
    }

    async fn save(&self) -> Result<()> {
        let bytes = serde_json::to_vec_pretty(&self.ledger)
            .map_err(|e| Trouble::new(Kind::Internal, format!("snapshots: {e}")))?;
        let path = self.folder.join(LEDGER);
        self.cx.world.keep(Action::WriteFile { path, bytes, mode: None, varies: true }).await?;
        Ok(())
    }
}

const LEDGER: &str = "shelf.json";

fn ledger(eyes: &dyn Eyes, folder: &Path) -> Result<Option<Ledger>> {
    let path = folder.join(LEDGER);
    let bytes = match eyes.read(&path) {
        Err(trouble) if trouble.is(Kind::NotFound) => return Ok(None),
        other => other?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        Trouble::new(Kind::Corrupt, format!("{} is damaged: {e}", path.display()))
            .hint(
                "it holds tags and pins; the snapshots beside it are whole. Remove it to go on without them",
            )
            .fact("path", path.display().to_string())
    })
}

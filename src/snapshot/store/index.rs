//! Where the snapshots of each environment stand: documents by number, and beside them one small file with the id of
//! each, what may change about them (tags, pins) and the last number that was given away.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::{Snapshot, Subject};
use crate::base::{Kind, Result, Trouble, digest};
use crate::site::Cx;
use crate::spack::drive::locks;
use crate::world::fs::real::is_same_path;
use crate::world::state::own_lock::OwnLock;
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
    /// What each document is by its content: one that was edited or exchanged is not it any more.
    #[serde(default)]
    ids: BTreeMap<u64, String>,
    #[serde(default)]
    marks: BTreeMap<u64, Marks>,
    /// Everything on it came from elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    foreign: bool,
}

impl Ledger {
    fn empty(env: &Subject) -> Ledger {
        Ledger { env: env.clone(), last: 0, ids: BTreeMap::new(), marks: BTreeMap::new(), foreign: false }
    }

    /// What can still be known without it: the documents say what they are of, and their names which number they have.
    fn rebuilt(eyes: &dyn Eyes, folder: &Path) -> Option<Ledger> {
        let mut out: Option<Ledger> = None;
        for number in numbers(eyes, folder).ok()? {
            let file = place(folder, number);
            let Ok(bytes) = eyes.read_own(&file) else { continue };
            let Ok(snapshot) = Snapshot::parse(&bytes, &file.display().to_string()) else { continue };
            let ledger = out.get_or_insert_with(|| Ledger::empty(&snapshot.env));
            ledger.last = number;
            ledger.ids.insert(number, digest::bytes(&bytes));
        }
        out
    }
}

/// A snapshot as it is kept.
#[derive(Debug, Clone)]
pub struct StoredSnapshot {
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
    /// Why tags and pins are not known.
    pub problem: Option<Trouble>,
}

fn root(cx: &Cx) -> PathBuf {
    cx.site.state.join("snapshots/environments")
}

/// The name of an environment as that of a folder.
pub fn plain_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' })
        .collect();
    let tail: String = plain.chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
    match tail.trim_start_matches(['.', '_']) {
        "" => "environment".to_owned(),
        tail => tail.to_owned(),
    }
}

/// A folder's name that a person recognises and no other environment has.
fn key(env: &Subject) -> String {
    let digest = digest::bytes(env.path.as_os_str().as_encoded_bytes());
    format!("{}-{}", plain_name(&env.name), digest.get(..8).unwrap_or(&digest))
}

/// The tag of what was taken in from elsewhere.
pub const IMPORTED: &str = "imported";

impl<'a> Shelf<'a> {
    /// The shelf of an environment; an empty one if it has no snapshots.
    pub fn of(cx: &'a Cx, env: &Subject) -> Result<Shelf<'a>> {
        let folder = root(cx).join(key(env));
        let eyes = &*cx.world.eyes;
        let ledger = ledger(eyes, &folder)?
            .or_else(|| Ledger::rebuilt(eyes, &folder))
            .unwrap_or_else(|| Ledger { foreign: true, ..Ledger::empty(env) });
        Ok(Shelf { cx, folder, ledger, problem: None })
    }

    /// All shelves, by name. One whose file is damaged is there to be looked at, as its documents are whole.
    pub fn all(cx: &'a Cx) -> Result<Vec<Shelf<'a>>> {
        let eyes = &*cx.world.eyes;
        let root = root(cx);
        if !eyes.is_folder(&root)? {
            return Ok(Vec::new());
        }
        let mut out = Vec::new();
        for name in eyes.list(&root)? {
            let folder = root.join(name);
            let (ledger, problem) = match ledger(eyes, &folder) {
                Ok(ledger) => (ledger, None),
                Err(trouble) => (None, Some(trouble)),
            };
            if let Some(ledger) = ledger.or_else(|| Ledger::rebuilt(eyes, &folder)) {
                out.push(Shelf { cx, folder, ledger, problem });
            } else if problem.is_some() || !numbers(eyes, &folder)?.is_empty() {
                // Nothing says what it was of. What it needs is kept all the same.
                let env = Subject { name: folder.display().to_string(), path: folder.clone() };
                out.push(Shelf { cx, folder, ledger: Ledger::empty(&env), problem });
            }
        }
        out.sort_by(|a, b| {
            (&a.ledger.env.name, &a.ledger.env.path).cmp(&(&b.ledger.env.name, &b.ledger.env.path))
        });
        Ok(out)
    }

    pub fn env(&self) -> &Subject {
        &self.ledger.env
    }

    /// By its name, or by a path to its folder.
    pub fn is_called(&self, name: &str) -> bool {
        self.env().name == name || self.is_at(Path::new(name))
    }

    pub fn is_at(&self, folder: &Path) -> bool {
        folder.is_absolute() && is_same_path(&*self.cx.world.eyes, &self.env().path, folder)
    }

    /// Everything on it came from elsewhere.
    pub fn is_foreign(&self) -> bool {
        self.ledger.foreign
    }

    /// The numbers that are there, rising.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        numbers(&*self.cx.world.eyes, &self.folder)
    }

    fn place(&self, number: u64) -> PathBuf {
        place(&self.folder, number)
    }

    /// One snapshot of this environment.
    pub fn read(&self, number: u64) -> Result<StoredSnapshot> {
        let file = self.place(number);
        let bytes = self
            .cx
            .world
            .eyes
            .read_own(&file)
            .map_err(|trouble| if trouble.is(Kind::NotFound) { self.unknown(number) } else { trouble })?;
        let mut snapshot = Snapshot::parse(&bytes, &file.display().to_string())?;
        let id = digest::bytes(&bytes);
        let corrupt = |why: &str, hint: &str| {
            let message = format!("{} {why}", file.display());
            Err(Trouble::new(Kind::Corrupt, message).hint(hint).fact("path", file.display().to_string()))
        };
        let known = self.ledger.ids.get(&number);
        if known.is_some_and(|known| *known != id) {
            return corrupt("is not what it was when it was written", "an export of it has it as it was");
        }
        if known.is_none() || snapshot.env.path != self.ledger.env.path {
            let hint = "it was copied here by hand; `moonstack snapshot import` takes one in";
            return corrupt(&format!("is the document of {}", snapshot.title()), hint);
        }
        // The place counts: one that was taken in from elsewhere has another number in its document.
        snapshot.number = number;
        let marks = self.ledger.marks.get(&number).cloned().unwrap_or_default();
        let last_good = self.last_good() == Some(number);
        Ok(StoredSnapshot { id, snapshot, marks, file, last_good })
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

    /// It was taken in from elsewhere.
    pub fn is_imported(&self, number: u64) -> bool {
        self.marks(number).tags.contains(IMPORTED)
    }

    /// The number of the last one that was taken here: what came from elsewhere is not how the environment was. Where
    /// nothing else is, it is the last of those.
    pub fn last(&self) -> Result<Option<u64>> {
        let numbers = self.numbers()?;
        let own = numbers.iter().rev().find(|number| !self.is_imported(**number));
        Ok(own.or(numbers.last()).copied())
    }

    /// The number of the last one that was marked as good and is still there.
    pub fn last_good(&self) -> Option<u64> {
        let good = self.ledger.marks.iter().filter(|(_, marks)| marks.good).map(|(number, _)| *number);
        good.filter(|number| self.cx.world.eyes.finds_file(&self.place(*number))).max()
    }

    /// Takes turns with everybody else who changes snapshots, whatever they are of: objects are shared. Gives the
    /// shelf as it is then.
    pub async fn locked(cx: &'a Cx, env: &Subject) -> Result<(Shelf<'a>, Option<OwnLock>)> {
        let lock = locks::of_state(cx, "snapshots").await?;
        Ok((Shelf::of(cx, env)?, lock))
    }

    /// Writes a new snapshot under the next number.
    pub async fn add(&mut self, mut snapshot: Snapshot, marks: Marks) -> Result<StoredSnapshot> {
        let number = self.next()?;
        snapshot.number = number;
        self.ledger.foreign = false;
        let what = format!("snapshot of {}", snapshot.env.name);
        self.write(number, snapshot.to_bytes()?, marks, what).await
    }

    /// Takes in a document as it is, and therefore with its id, under the next number of this place.
    pub async fn adopt(
        &mut self,
        snapshot: &Snapshot,
        document: Vec<u8>,
        marks: Marks,
    ) -> Result<StoredSnapshot> {
        let number = self.next()?;
        let what = format!("snapshot of {} from elsewhere", snapshot.env.name);
        self.write(number, document, marks, what).await
    }

    fn next(&self) -> Result<u64> {
        Ok(self.ledger.last.max(self.numbers()?.last().copied().unwrap_or(0)) + 1)
    }

    async fn write(
        &mut self,
        number: u64,
        bytes: Vec<u8>,
        marks: Marks,
        what: String,
    ) -> Result<StoredSnapshot> {
        if !self.cx.world.eyes.is_folder(&self.folder)? {
            self.cx.world.keep(Action::MakeFolder { path: self.folder.clone() }).await?;
        }
        self.ledger.last = number;
        self.ledger.ids.insert(number, digest::bytes(&bytes));
        self.ledger.marks.insert(number, marks);
        // First the number is taken: after a crash in between, it is missing, and never given twice.
        self.save().await?;
        self.cx.world.perform(Action::WriteRecord { path: self.place(number), bytes, what }).await?;
        self.read(number)
    }

    /// Changes the marks of one.
    pub async fn mark(&mut self, number: u64, change: impl FnOnce(&mut Marks)) -> Result<StoredSnapshot> {
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
        self.ledger.ids.remove(&number);
        self.ledger.marks.remove(&number);
        self.save().await
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

fn place(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.json"))
}

fn numbers(eyes: &dyn Eyes, folder: &Path) -> Result<Vec<u64>> {
    if !eyes.is_folder(folder)? {
        return Ok(Vec::new());
    }
    let number = |name: &String| name.strip_suffix(".json").and_then(|n| n.parse::<u64>().ok());
    let mut out: Vec<u64> = eyes.list(folder)?.iter().filter_map(number).collect();
    out.sort_unstable();
    Ok(out)
}

fn ledger(eyes: &dyn Eyes, folder: &Path) -> Result<Option<Ledger>> {
    let path = folder.join(LEDGER);
    let bytes = match eyes.read_own(&path) {
        Err(trouble) if trouble.is(Kind::NotFound) => return Ok(None),
        other => other?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        Trouble::new(Kind::Corrupt, format!("{} is damaged: {e}", path.display()))
            .hint(
                "it holds tags, pins and ids; the snapshots beside it are whole. Remove it to go on without them",
            )
            .fact("path", path.display().to_string())
    })
}

/// Why a snapshot must not go.
pub fn guarded(kept: &StoredSnapshot) -> Option<&'static str> {
    match (kept.marks.pinned, kept.last_good) {
        (true, _) => Some("it is pinned"),
        (_, true) => Some("it is the last one that is known to be good"),
        _ => None,
    }
}

//! What is known of the generations of one line beyond what lies in their folders: how far each has come, what users
//! were on and when.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::entry::{LedgerEntry, Progress, Publication};
use super::owner::{self, Owner};
use super::place::{FILE, Place};
use super::unlisted;
use crate::base::nearest::nearest;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::locks;
use crate::world::Action;
use crate::world::fs::own_files;
use crate::world::state::own_lock::OwnLock;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct LedgerFile {
    #[serde(default)]
    format: u32,
    last: u64,
    /// Whose they are. Format 1 did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Owner>,
    /// The environment that the first one was made from, also when that one is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<PathBuf>,
    #[serde(default)]
    generations: BTreeMap<u64, LedgerEntry>,
    #[serde(default)]
    publications: Vec<Publication>,
}

/// Format 2 says whose generations they are, and which are being removed.
const FORMAT: u32 = 2;
/// Older ones say nothing that anybody asks for.
const PUBLICATIONS: usize = 1000;

/// How long those wait for the lock who must not wait.
const SOON: Duration = Duration::from_secs(2);

/// The generations of one line.
pub struct Ledger {
    pub place: Place,
    kept: LedgerFile,
}

impl Ledger {
    /// As it is now; an empty one if there are none. What has a folder and is not in the file, because that was lost or
    /// an older one was put back, is taken from the folder.
    pub fn read(cx: &Cx, place: Place) -> Result<Ledger> {
        let mut kept = Ledger::file(cx, &place)?.unwrap_or_default();
        for found in unlisted::generations(cx, &place, &kept.generations)? {
            kept.last = kept.last.max(found.number);
            kept.generations.insert(found.number, LedgerEntry::of_folder(&found));
        }
        Ok(Ledger { place, kept })
    }

    fn file(cx: &Cx, place: &Place) -> Result<Option<LedgerFile>> {
        let path = place.folder.join(FILE);
        let bytes = match cx.world.eyes.read_own(&path) {
            Err(trouble) if trouble.is(Kind::NotFound) => return Ok(None),
            other => other?,
        };
        let kept: LedgerFile = serde_json::from_slice(&bytes).map_err(|e| {
            Trouble::new(Kind::Corrupt, format!("{} is damaged: {e}", path.display()))
                .hint("restore it from a backup, or move it away: what can be known is taken from the folders then")
                .hint("what users are on does not depend on it")
                .fact("path", path.display().to_string())
        })?;
        if kept.format > FORMAT {
            let message =
                format!("{} has format {}; this build knows up to {FORMAT}", path.display(), kept.format);
            return Err(
                Trouble::new(Kind::UnknownFormat, message).hint("use the newer moonstack that wrote it")
            );
        }
        Ok(Some(kept))
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

    /// What is locked by those who take a turn.
    pub fn turn(name: &str) -> String {
        format!("generations of {name}")
    }

    /// Takes turns with everybody else who works on these generations, and reads how they are then. Those of another
    /// Spack are refused, and a move of users that is not on record is recorded.
    pub async fn locked(cx: &Cx, name: &str) -> Result<(Ledger, Option<OwnLock>)> {
        let place = Place::of(cx, name)?;
        let lock = locks::named(cx, &Ledger::turn(name)).await?;
        Ok((Ledger::noticed(cx, place).await?, lock))
    }

    /// The same for those who cannot wait: whoever holds the lock, or a folder in which nothing can be written, must not
    /// keep users from going back. Without the lock nothing may be recorded.
    pub async fn locked_soon(cx: &Cx, name: &str) -> Result<(Ledger, Option<OwnLock>)> {
        let place = Place::of(cx, name)?;
        match locks::named_within(cx, &Ledger::turn(name), SOON).await {
            Ok(lock) => Ok((Ledger::noticed(cx, place).await?, lock)),
            // What somebody has put in the place of the lock is for an admin to look at.
            Err(trouble) if trouble.is(Kind::Cancelled) || trouble.is(Kind::Refused) => Err(trouble),
            Err(trouble) => {
                cx.world.warn(format!("going on without the lock: {}", trouble.message()));
                Ok((Ledger::ours(cx, place)?, None))
            }
        }
    }

    /// As they are for who has the lock.
    async fn noticed(cx: &Cx, place: Place) -> Result<Ledger> {
        let mut ledger = Ledger::ours(cx, place)?;
        ledger.notice(cx).await;
        Ok(ledger)
    }

    /// Those of this Spack and store; others are refused.
    pub fn ours(cx: &Cx, place: Place) -> Result<Ledger> {
        let ledger = Ledger::read(cx, place)?;
        ledger.check_owner(cx)?;
        Ok(ledger)
    }

    fn check_owner(&self, cx: &Cx) -> Result<()> {
        if self.kept.generations.is_empty() {
            return Ok(());
        }
        let folders: Vec<PathBuf> = self.kept.generations.keys().map(|n| self.place.generation(*n)).collect();
        owner::check(cx, &self.place.name, self.kept.owner.as_ref(), &folders)
    }

    /// Whose they are, where that is on record.
    pub fn owner(&self) -> Option<&Owner> {
        self.kept.owner.as_ref()
    }

    /// Users were moved and nobody could record it: a process was killed, the disk was full. Their time on what they were
    /// on before ends now, as far as anybody knows.
    async fn notice(&mut self, cx: &Cx) {
        // A link that leads elsewhere is told of where somebody looks at it.
        let Ok(Some(current)) = self.place.current(cx) else { return };
        let last = self.kept.publications.last().map(|p| p.number);
        if last == Some(current) || cx.world.hands.pretends() {
            return;
        }
        let moved = Publication { noticed: true, ..Publication::now(cx, current, last) };
        self.kept.publications.push(moved);
        if let Err(trouble) = self.save(cx).await {
            cx.world.warn(format!(
                "that users are on generation {current} is not recorded: {}",
                trouble.message()
            ));
        }
    }

    /// The last number that was given away; none was before the first.
    pub fn last(&self) -> u64 {
        self.kept.last
    }

    /// Lets others at the generations of the line while this one is worked on, which may take hours: users must be able
    /// to go back meanwhile. Gives the turn at this generation.
    pub async fn work_on(cx: &Cx, place: &Place, number: u64) -> Result<Option<OwnLock>> {
        own_files::check_folder(&place.generation(number))?;
        locks::named(cx, &format!("generation {number} of {}", place.name)).await
    }

    /// The folder of the environment that these are the generations of.
    pub fn origin(&self) -> Option<&Path> {
        let first = self.kept.generations.values().next().map(|entry| Path::new(&entry.from));
        let first = || first.filter(|from| !from.as_os_str().is_empty());
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

    /// Takes the next number: one that nothing has had that can still be seen.
    pub async fn begin(&mut self, cx: &Cx, from: String, description: Option<String>) -> Result<u64> {
        let taken = self.kept.last.max(unlisted::highest_number(cx, &self.place)?);
        let number = taken.checked_add(1).filter(|number| *number < u64::MAX).ok_or_else(|| {
            Trouble::new(Kind::Refused, format!("'{}' has no number left after {taken}", self.place.name))
                .hint("--name begins another series")
        })?;
        let entry = LedgerEntry::begun(cx, from, description);
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
        let moved = Publication::now(cx, number, before);
        self.kept.publications.push(moved);
        self.save(cx).await
    }

    /// Takes them as those of the Spack that is used now.
    pub async fn claim(&mut self, cx: &Cx) -> Result<()> {
        self.kept.owner = Some(Owner::here(cx)?);
        self.save(cx).await
    }

    pub async fn forget(&mut self, cx: &Cx, number: u64) -> Result<()> {
        self.kept.generations.remove(&number);
        self.save(cx).await
    }

    async fn save(&mut self, cx: &Cx) -> Result<()> {
        self.kept.format = FORMAT;
        if self.kept.owner.is_none() {
            self.kept.owner = Some(Owner::here(cx)?);
        }
        let surplus = self.kept.publications.len().saturating_sub(PUBLICATIONS);
        self.kept.publications.drain(..surplus);
        let bytes = serde_json::to_vec_pretty(&self.kept)
            .map_err(|e| Trouble::new(Kind::Internal, format!("generations: {e}")))?;
        let path = self.place.folder.join(FILE);
        cx.world.keep(Action::WriteFile { path, bytes, mode: None, varies: true }).await?;
        Ok(())
    }
}

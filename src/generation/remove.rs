//! Removes a generation, and of what it had installed only what nobody else uses: no environment that Spack knows or
//! the site names, no other generation, no snapshot. What that is, is said first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::guards;
use super::prove::{self, Depth};
use crate::base::{Kind, Result, Trouble};
use crate::generation::series::ledger::Ledger;
use crate::generation::series::place::Place;
use crate::generation::series::ready;
use crate::generation::series::track::{track, untrack};
use crate::site::Cx;
use crate::snapshot::judge::verify;
use crate::snapshot::store::index::Shelf;
use crate::spack::change::uninstall;
use crate::spack::drive::installed::Named;
use crate::spack::drive::locks;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::lock::contents::LockContents;
use crate::spack::read::keepers;
use crate::spack::store::row::SpecRow;
use crate::world::Action;
use crate::world::fs::real::is_same_path;

/// Removes a generation, and uninstalls what nobody else uses. Try it with `dry_run` first.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct RemoveArgs {
    /// Name of the generations.
    pub name: String,
    /// Which one.
    pub number: u64,
    /// Uninstall nothing.
    #[serde(default)]
    pub keep_specs: bool,
    /// Only tell what would go.
    #[serde(default)]
    pub dry_run: bool,
    /// Although users were on it within the grace period: nothing runs from it any more.
    #[serde(default)]
    pub force: bool,
    /// Folders of environments that cannot be looked at, and that are taken to need nothing.
    #[serde(default)]
    pub without: Vec<PathBuf>,
}

/// A spec that stays because somebody uses it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Used {
    pub name: String,
    pub hash: String,
    /// Who: environments, snapshots, installed specs, users.
    pub by: Vec<String>,
}

/// What went, or would go.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Removed {
    pub name: String,
    pub number: u64,
    /// What was uninstalled.
    pub specs: Vec<Named>,
    /// What stays, and whose it is.
    pub kept: Vec<Used>,
    pub dry_run: bool,
}

pub async fn remove(cx: Cx, args: RemoveArgs) -> Result<Removed> {
    let place = Place::of(&cx, &args.name)?;
    let number = args.number;
    let _work = Ledger::work_on(&cx, &place, number).await?;
    {
        let (ledger, _turn) = Ledger::locked(&cx, &args.name).await?;
        guarded(&cx, &ledger, number, args.force)?;
    }
    let own = own_store(&cx, &place, number).await?;
    let planned = async || {
        let (again, within, asked) = (own.clone(), place.clone(), args.clone());
        cx.blocking(move |cx| plan(&cx, &again, &within, &asked)).await
    };
    let (mut specs, mut kept) = planned().await?;
    // What goes is found again while nobody else can install what would need it; where nothing goes, nobody has to wait
    // for an installation.
    let store = if args.dry_run || specs.is_empty() { None } else { locks::store(&cx, &own).await? };
    if store.is_some() {
        (specs, kept) = planned().await?;
    }
    let removed = Removed { name: place.name.clone(), number, specs, kept, dry_run: args.dry_run };
    if args.dry_run {
        return Ok(removed);
    }
    mark(&cx, &args).await?;
    let outcome = async {
        untrack(&cx, &place, number).await?;
        if !removed.specs.is_empty() {
            uninstall::remove_from_store(&cx, &own, &["uninstall", "-y"], &removed.specs).await?;
        }
        ready::drop(&cx, &place, number).await;
        drop_folder(&cx, &place, number).await
    };
    if let Err(trouble) = outcome.await {
        return Err(remains(&cx, &place, number, trouble).await);
    }
    let (mut ledger, _turn) = Ledger::locked(&cx, &args.name).await?;
    ledger.forget(&cx, number).await?;
    Ok(removed)
}

/// Where its packages are: a generation may have a store of its own. One without a manifest has what the site has.
async fn own_store(cx: &Cx, place: &Place, number: u64) -> Result<Scope> {
    let folder = place.generation(number);
    if cx.world.eyes.is_file(&folder.join("spack.yaml"))? {
        scope(cx, Some(folder.display().to_string())).await
    } else {
        scope(cx, None).await
    }
}

/// Says on disk that it goes, and only then looks once more at where users are: who moves them looks for the mark after
/// the move, so that one of the two sees the other. The lock is given back, for users must be able to go elsewhere
/// however long it takes.
async fn mark(cx: &Cx, args: &RemoveArgs) -> Result<()> {
    let (mut ledger, _turn) = Ledger::locked(cx, &args.name).await?;
    let since = cx.world.clock.now().to_string();
    ledger.change(cx, args.number, |entry| entry.removing = Some(since)).await?;
    let checked = guarded(cx, &ledger, args.number, args.force);
    if checked.is_err() {
        ledger.change(cx, args.number, |entry| entry.removing = None).await?;
    }
    checked
}

/// What is left after a removal that failed: all of it, and then it is no removal any more, or a part.
async fn remains(cx: &Cx, place: &Place, number: u64, trouble: Trouble) -> Trouble {
    let note = async {
        let (mut ledger, _turn) = Ledger::locked(cx, &place.name).await?;
        let is_whole = prove::look(cx, &ledger, number, Depth::Places).await.is_ok_and(|proof| proof.ok);
        let why = trouble.message().to_owned();
        ledger
            .change(cx, number, |entry| {
                entry.removing = entry.removing.take().filter(|_| !is_whole);
                entry.why = (!is_whole).then_some(why);
            })
            .await?;
        // What it still has is spared by Spack's garbage collection as before.
        if cx.world.eyes.is_file(&place.generation(number).join("spack.yaml"))? {
            track(cx, place, number).await?;
        }
        Ok::<_, Trouble>(is_whole)
    };
    let (name, is_whole) = (&place.name, note.await);
    match is_whole {
        Ok(true) => trouble.hint(format!("generation {number} of '{name}' is whole")),
        other => {
            if let Err(other) = other {
                cx.world.warn(format!("generation {number} of {name}: {}", other.message()));
            }
            trouble.hint(format!(
                "generation {number} of '{name}' was removed in part: `moonstack generation remove {name} {number}` goes \
                 on, `moonstack generation build {name} --number {number}` brings it back"
            ))
        }
    }
}

fn guarded(cx: &Cx, ledger: &Ledger, number: u64, force: bool) -> Result<()> {
    let Some(guard) = guards::guard(cx, ledger, number)?.filter(|guard| !(guard.grace && force)) else {
        return Ok(());
    };
    let message = format!("generation {number} of '{}' was not removed: {}", ledger.place.name, guard.why);
    let trouble = Trouble::new(Kind::Refused, message);
    Err(if guard.grace {
        trouble.hint("`force` removes it all the same; `generations.grace` of the site file sets the time")
    } else {
        trouble
    })
}

/// What of a generation's lock goes, and what stays for whom.
fn plan(cx: &Cx, scope: &Scope, place: &Place, args: &RemoveArgs) -> Result<(Vec<Named>, Vec<Used>)> {
    let eyes = &*cx.world.eyes;
    let folder = place.generation(args.number);
    let lock = folder.join("spack.lock");
    if args.keep_specs || !eyes.exists(&lock)? {
        return Ok((Vec::new(), Vec::new()));
    }
    let lock = LockContents::read(eyes, &lock)?;
    let users = users(cx, scope, &folder, &args.without)?;
    let roots = lock.root_hashes();
    scope.with_stores(cx, |stores, _| {
        let mut by: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut goes: BTreeSet<String> = BTreeSet::new();
        for row in lock.specs.values().filter(|row| row.external.is_none()) {
            let Some(entry) = stores.get(&row.hash).filter(|e| e.record.installed && e.store == 0) else {
                continue;
            };
            goes.insert(row.hash.clone());
            by.entry(row.hash.clone())
                .or_default()
                .extend(users.get(&row.hash).into_iter().flatten().cloned());
            if entry.record.explicit && !roots.contains(&row.hash) {
                by.entry(row.hash.clone()).or_default().insert("a user who has asked for it".to_owned());
            }
        }
        goes.retain(|hash| by.get(hash).is_none_or(BTreeSet::is_empty));
        stay_for_dependents(stores, &mut goes, &mut by)?;
        let row = |hash: &String| lock.specs.get(hash);
        let mut specs = Vec::new();
        for entry in goes.iter().filter_map(|hash| stores.get(hash)) {
            specs.push(Named::of(&SpecRow::of_entry(stores, entry)?));
        }
        specs.sort();
        let mut kept: Vec<Used> = by
            .iter()
            .filter(|(hash, users)| !goes.contains(*hash) && !users.is_empty())
            .filter_map(|(hash, users)| {
                let by = users.iter().cloned().collect();
                Some(Used { name: row(hash)?.name.clone(), hash: hash.clone(), by })
            })
            .collect();
        kept.sort_by(|a, b| (&a.name, &a.hash).cmp(&(&b.name, &b.hash)));
        Ok((specs, kept))
    })
}

/// What an installed spec that stays needs, stays as well, all the way down.
fn stay_for_dependents(
    stores: &crate::spack::store::stores::Stores<'_>,
    goes: &mut BTreeSet<String>,
    by: &mut BTreeMap<String, BTreeSet<String>>,
) -> Result<()> {
    let mut above: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for entry in stores.entries().filter(|e| e.record.installed) {
        let parent = (entry.record.hash.to_owned(), entry.record.name.to_string());
        for edge in &entry.node()?.dependencies {
            if edge.has_type("link") || edge.has_type("run") {
                above.entry(edge.hash.to_string()).or_default().push(parent.clone());
            }
        }
    }
    loop {
        let mut stays = Vec::new();
        for hash in goes.iter() {
            let outside = above.get(hash).into_iter().flatten().find(|(parent, _)| !goes.contains(parent));
            if let Some((_, name)) = outside {
                stays.push((hash.clone(), format!("installed {name}")));
            }
        }
        if stays.is_empty() {
            return Ok(());
        }
        for (hash, who) in stays {
            goes.remove(&hash);
            by.entry(hash).or_default().insert(who);
        }
    }
}

/// Hash → who has it in a lock. What cannot be looked at is refused: that nobody needs it must be known.
fn users(
    cx: &Cx,
    scope: &Scope,
    but: &Path,
    without: &[PathBuf],
) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let eyes = &*cx.world.eyes;
    let mut out: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut note = |who: &str, lock: &LockContents| {
        for hash in lock.specs.keys() {
            out.entry(hash.clone()).or_default().insert(who.to_owned());
        }
    };
    let is_left_out = |path: &Path| without.iter().any(|one| is_same_path(eyes, one, path));
    let mut folders: Vec<(String, PathBuf)> = Vec::new();
    for info in keepers::environments(cx, scope, without, Kind::Refused)? {
        folders.push((format!("environment {}", info.name), info.path));
    }
    for name in Place::names(cx)? {
        let ledger = Ledger::read(cx, Place::of(cx, &name)?)?;
        let all = ledger
            .entries()
            .keys()
            .map(|n| (format!("generation {n} of {name}"), ledger.place.generation(*n)));
        folders.extend(all);
    }
    folders.retain(|(_, folder)| !is_same_path(eyes, folder, but));
    let mut seen = BTreeSet::new();
    for (who, folder) in folders.into_iter().rev() {
        if is_left_out(&folder) || !seen.insert(folder.clone()) {
            continue;
        }
        let lock = folder.join("spack.lock");
        let known =
            eyes.exists(&lock).and_then(|there| there.then(|| LockContents::read(eyes, &lock)).transpose());
        match known {
            Ok(known) => known.iter().for_each(|lock| note(&who, lock)),
            Err(trouble) => {
                return Err(keepers::unknown(Kind::Refused, &who, &folder).hint(trouble.message()));
            }
        }
    }
    for shelf in Shelf::all(cx)? {
        for number in shelf.numbers()? {
            let kept = shelf.read(number)?;
            // A snapshot of the generation that goes is its record, and no reason to keep it, unless somebody says so.
            if shelf.marks(number).pinned || !is_same_path(eyes, &kept.snapshot.env.path, but) {
                note(&format!("snapshot {}", kept.snapshot.title()), &verify::lock(cx, &kept)?);
            }
        }
    }
    Ok(out)
}

/// Untracks a generation and removes its folder.
pub async fn drop_folder(cx: &Cx, place: &Place, number: u64) -> Result<()> {
    untrack(cx, place, number).await?;
    let folder = place.generation(number);
    if cx.world.eyes.exists(&folder)? {
        cx.world.perform(Action::RemovePath { path: folder }).await?;
    }
    Ok(())
}

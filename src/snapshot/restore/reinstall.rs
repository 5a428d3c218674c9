//! What is missing of a snapshot or damaged, installed again by its hash; then marks, views and modules, and
//! everything read back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::snapshot::judge::check::{HashCheck, Restorable};
use crate::snapshot::record::parts;
use crate::snapshot::record::source::Source;
use crate::snapshot::record::state::{HashState, is_there};
use crate::snapshot::restore::args::RestoreArgs;
use crate::snapshot::store::index::StoredSnapshot;
use crate::spack::change::around::view::{RefreshArgs, make_room, refresh};
use crate::spack::change::env::install::{EnvInstallArgs, install_env};
use crate::spack::change::install::args::{InstallOptions, InstalledRow};
use crate::spack::change::mark::{self, Mark};
use crate::spack::drive::session::{Scope, scope};
use crate::spack::drive::{installed, locks};
use crate::spack::read::concretize::Specs;
use crate::spack::store::prefix_manifest::{Contents, damage};
use crate::world::Action;

/// What was done.
#[derive(Default)]
pub struct Brought {
    pub installed: Vec<InstalledRow>,
    pub marked: Vec<String>,
    pub left_out: Vec<String>,
}

/// Without what was only needed to build the others a stack works as well, so that it is left out where it would not
/// be the same. What the others may come from, has been asked before.
fn may_come(row: &HashCheck, args: &RestoreArgs) -> bool {
    !row.build_only
        || match row.from {
            _ if args.no_build_deps => false,
            Source::Installed | Source::Mirror => true,
            Source::Source => !args.cache_only,
            Source::Drifted => args.allow_drift && !args.cache_only,
            Source::Gone => false,
        }
}

pub async fn bring_back(
    cx: &Cx,
    kept: &StoredSnapshot,
    args: &RestoreArgs,
    found: &Restorable,
) -> Result<Brought> {
    let name = kept.snapshot.env.path.display().to_string();
    let states = parts::states(cx, kept)?;
    let options = InstallOptions {
        only_concrete: true,
        cache_only: args.cache_only,
        no_check_signature: args.no_check_signature,
        fake: args.fake,
        jobs: args.jobs,
        timeout: args.timeout,
        ..InstallOptions::default()
    };
    let (come, stay): (Vec<&HashCheck>, Vec<&HashCheck>) =
        found.missing.iter().partition(|row| may_come(row, args));
    let stay: BTreeMap<&str, &str> =
        stay.into_iter().map(|row| (row.hash.as_str(), row.why.as_str())).collect();
    let mut wanted: Vec<&HashState> =
        states.iter().filter(|s| s.installed && !s.external && !stay.contains_key(s.hash.as_str())).collect();
    make_room(cx, &scope(cx, Some(name.clone())).await?).await?;
    // What is built next may need what was damaged.
    let damaged: Vec<&str> = come.iter().filter(|row| row.damaged).map(|row| row.hash.as_str()).collect();
    let mut installed = again(cx, &name, &damaged, &options).await?;
    if missing(cx, &name, &wanted).await?.iter().any(|s| !s.build_only) {
        let args = EnvInstallArgs { name: name.clone(), specs: None, options: options.clone() };
        installed.extend(install_env(cx.clone(), args).await?.installed);
    }
    let mut left_out: BTreeMap<&str, String> =
        stay.iter().map(|(hash, why)| (*hash, (*why).to_owned())).collect();
    installed.extend(only_to_build(cx, &name, &wanted, options, &mut left_out).await?);
    wanted.retain(|state| !left_out.contains_key(state.hash.as_str()));
    let inside = scope(cx, Some(name.clone())).await?;
    let marked = marks(cx, &inside, &states).await?;
    refresh(cx.clone(), RefreshArgs { name }).await?;
    compare(cx, kept, &wanted).await?;
    let then = states.iter().filter(|state| state.installed);
    let mut left_out: Vec<String> = then
        .filter_map(|s| left_out.get(s.hash.as_str()).map(|why| format!("{}@{}: {why}", s.name, s.version)))
        .collect();
    left_out.sort();
    Ok(Brought { installed, marked, left_out })
}

/// Where Spack builds nothing, it does without what is only needed to build. Nobody should have to do without the
/// others because it fails.
async fn only_to_build<'s>(
    cx: &Cx,
    name: &str,
    wanted: &[&'s HashState],
    options: InstallOptions,
    left_out: &mut BTreeMap<&'s str, String>,
) -> Result<Vec<InstalledRow>> {
    let late = missing(cx, name, wanted).await?;
    if late.is_empty() {
        return Ok(Vec::new());
    }
    let specs = Some(Specs::Many(late.iter().map(|state| format!("/{}", state.hash)).collect()));
    match install_env(cx.clone(), EnvInstallArgs { name: name.to_owned(), specs, options }).await {
        Ok(done) => Ok(done.installed),
        Err(trouble) if trouble.is(Kind::Cancelled) => Err(trouble),
        Err(trouble) => {
            let lost = missing(cx, name, &late).await?;
            if lost.iter().any(|state| !state.build_only) {
                return Err(trouble);
            }
            for state in lost {
                left_out.insert(&state.hash, trouble.message().to_owned());
            }
            Ok(Vec::new())
        }
    }
}

/// Those that are not installed.
async fn missing<'s>(cx: &Cx, name: &str, wanted: &[&'s HashState]) -> Result<Vec<&'s HashState>> {
    let inside = scope(cx, Some(name.to_owned())).await?;
    let store = installed::now(cx, &inside).await?;
    let there = |state: &HashState| is_there(&*cx.world.eyes, &store, &state.hash);
    Ok(wanted.iter().copied().filter(|state| !there(state)).collect())
}

/// Builds or unpacks again in place what is on record and does not serve any more.
async fn again(cx: &Cx, name: &str, hashes: &[&str], options: &InstallOptions) -> Result<Vec<InstalledRow>> {
    if hashes.is_empty() {
        return Ok(Vec::new());
    }
    let inside = scope(cx, Some(name.to_owned())).await?;
    let store = installed::now(cx, &inside).await?;
    let prefix = |hash: &&str| store.get(*hash).and_then(|held| held.prefix.clone()).map(PathBuf::from);
    let gone: Vec<PathBuf> = hashes
        .iter()
        .filter_map(prefix)
        .filter(|path| cx.world.eyes.exists(path).is_ok_and(|there| !there))
        .collect();
    // Spack before 1.2 moves the old prefix aside, and fails where there is none.
    for path in &gone {
        cx.world.perform(Action::MakeFolder { path: path.clone() }).await?;
    }
    let specs = Some(Specs::Many(hashes.iter().map(|hash| format!("/{hash}")).collect()));
    let options = InstallOptions { overwrite: true, ..options.clone() };
    let done = install_env(cx.clone(), EnvInstallArgs { name: name.to_owned(), specs, options }).await;
    if done.is_err() {
        // An empty folder would look like an installation.
        for path in
            gone.into_iter().filter(|path| cx.world.eyes.list(path).is_ok_and(|names| names.is_empty()))
        {
            cx.world.perform(Action::RemovePath { path }).await?;
        }
    }
    Ok(done?.installed)
}

/// Explicit and implicit as recorded.
async fn marks(cx: &Cx, inside: &Scope, states: &[HashState]) -> Result<Vec<String>> {
    let store = installed::now(cx, inside).await?;
    // Also what is no root of the environment.
    let outside = scope(cx, None).await?;
    let _lock = locks::changing(cx, &outside).await?;
    let mut marked = Vec::new();
    for as_what in [Mark::Explicit, Mark::Implicit] {
        let explicit = as_what == Mark::Explicit;
        let otherwise =
            states.iter().filter(|s| s.installed && !s.external && s.explicit == explicit).filter(|s| {
                store
                    .get(&s.hash)
                    .is_some_and(|held| held.installed && held.local && held.explicit != explicit)
            });
        let specs: Vec<(&str, &str)> = otherwise.map(|s| (s.name.as_str(), s.hash.as_str())).collect();
        mark::set(cx, &outside, &specs, as_what).await?;
        marked.extend(specs.into_iter().map(|(_, hash)| hash.to_owned()));
    }
    marked.sort();
    Ok(marked)
}

/// Reads everything back.
async fn compare(cx: &Cx, kept: &StoredSnapshot, wanted: &[&HashState]) -> Result<()> {
    let record = &kept.snapshot;
    let inside = scope(cx, Some(record.env.path.display().to_string())).await?;
    let eyes = &*cx.world.eyes;
    let mut problems = Vec::new();
    for (file, path) in
        [(&record.manifest, inside.inside()?.manifest_file()), (&record.lock, inside.inside()?.lock_file())]
    {
        if eyes.digest(&path).ok().as_ref() != Some(&file.object) {
            problems.push(format!("{} is not as it was", path.display()));
        }
    }
    let store = installed::now(cx, &inside).await?;
    for state in wanted {
        match store.get(&state.hash) {
            Some(held) if held.exists(eyes) && held.explicit != state.explicit => {
                problems.push(format!("{} is not marked as it was", state.name));
            }
            Some(held) if held.exists(eyes) => {
                let prefix = Path::new(held.prefix.as_deref().unwrap_or_default());
                let pretends = cx.world.hands.pretends();
                problems.extend(damage(eyes, prefix, Contents::Touched).filter(|_| !pretends));
            }
            _ => problems.push(format!("{}@{} is not installed", state.name, state.version)),
        }
    }
    match problems.first() {
        None => Ok(()),
        Some(first) => Err(Trouble::new(Kind::NotDone, format!("{} is not back: {first}", record.title()))
            .fact("problems", problems)),
    }
}

//! Begins a generation: a folder of its own with the manifest and lock of what users are on, changed as asked, and
//! solved. Nothing is installed, and nothing that users see changes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble};
use crate::generation::series::entry::Progress;
use crate::generation::series::ledger::Ledger;
use crate::generation::series::place::Place;
use crate::site::Cx;
use crate::spack::change::around::share;
use crate::spack::change::around::view::{mend, view_roots};
use crate::spack::change::env::upgrade::{Asked, Outcome, UpgradeArgs, upgrade};
use crate::spack::drive::installed;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::environment::EnvironmentInfo;
use crate::spack::environment::manifest::permissions::with_permissions;
use crate::spack::environment::manifest::redirect::redirected;
use crate::spack::lock::contents::LockContents;
use crate::world::Action;
use crate::world::scope::replay;

/// Begins the next generation: what users are on, changed as asked, and solved. Installs nothing.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SolveArgs {
    /// Name of the generations; the environment's, unless `from` says otherwise.
    pub name: String,
    /// The environment to begin with: a name or folder. Left out, the generation that users are on, and without one
    /// the environment of that name.
    pub from: Option<String>,
    /// Solve everything again, with the newest versions.
    pub all: bool,
    #[serde(flatten)]
    pub asked: Asked,
    /// Take the lock as it is, without solving.
    pub as_is: bool,
    /// What it is for, in words.
    pub description: Option<String>,
}

/// A generation that is solved, and how it differs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Solved {
    /// Name of the generations.
    pub name: String,
    pub number: u64,
    /// Its folder: an environment.
    pub path: PathBuf,
    /// What it was made from.
    pub from: String,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Concrete specs in its lock.
    pub specs: usize,
    /// Of these, not installed.
    pub missing: usize,
    /// Packages that are there in both and are built anew.
    pub rebuilds: Vec<String>,
}

pub async fn solve(cx: Cx, args: SolveArgs) -> Result<Solved> {
    let (mut ledger, turn) = Ledger::locked(&cx, &args.name).await?;
    let source = source(&cx, &ledger.place, args.from.as_deref()).await?;
    needs_tracking(&source)?;
    let from = source.inside()?.clone();
    if args.as_is && !from.has_lock {
        return Err(Trouble::new(Kind::Refused, format!("environment '{}' has no lock to take", from.name))
            .hint(format!("concretize it first: moonstack env concretize {}", from.name)));
    }
    let number = match begun(&cx, &ledger) {
        Some(number) => number,
        None => ledger.begin(&cx, from.path.display().to_string(), args.description.clone()).await?,
    };
    // Nobody else knows of this one yet; who waits for the line need not wait for the solver.
    let place = ledger.place.clone();
    drop(turn);
    let _work = Ledger::work_on(&cx, &place, number).await?;
    let prepared = prepare(&cx, &place, number, &source, &args).await;
    let (mut ledger, _turn) = Ledger::locked(&cx, &args.name).await?;
    match prepared {
        Ok(solved) => {
            ledger.change(&cx, number, |entry| entry.progress = Progress::Solved).await?;
            Ok(solved)
        }
        Err(trouble) => {
            // What cannot be solved is no generation, and leaves nothing behind.
            let gone = super::remove::drop_folder(&cx, &ledger.place, number).await;
            match gone {
                Ok(()) => ledger.forget(&cx, number).await?,
                Err(other) => {
                    cx.world.warn(format!("generation {number} is left behind: {}", other.message()));
                }
            }
            Err(trouble)
        }
    }
}

/// A generation that the same call of this run had begun when it was interrupted, maybe before or after all that is on
/// record of it.
fn begun(cx: &Cx, ledger: &Ledger) -> Option<u64> {
    cx.site.journal.replay()?;
    let (run, call) = (cx.site.journal.number()?, replay::current()?);
    let (number, entry) = ledger.entries().iter().next_back()?;
    let same = entry.run == Some(run)
        && entry.state.as_ref().is_none_or(|state| *state == cx.site.state)
        && entry.call.as_ref() == Some(&call.key);
    (same && entry.progress <= Progress::Solved).then_some(*number)
}

/// What the generation begins with.
pub async fn source(cx: &Cx, place: &Place, from: Option<&str>) -> Result<Scope> {
    let name = match from {
        Some(name) => name.to_owned(),
        None => match place.current(cx)? {
            Some(number) => place.generation(number).display().to_string(),
            None => place.name.clone(),
        },
    };
    scope(cx, Some(name)).await
}

/// Spack's garbage collection spares what an environment that it knows needs; older ones know no others.
fn needs_tracking(scope: &Scope) -> Result<()> {
    if scope.spack.installation.release.abilities().env_track {
        return Ok(());
    }
    Err(Trouble::new(
        Kind::Unsupported,
        "generations need Spack 0.23 or newer, which can track an environment",
    )
    .hint("with this Spack, snapshots and an upgrade in place work"))
}

async fn prepare(cx: &Cx, place: &Place, number: u64, source: &Scope, args: &SolveArgs) -> Result<Solved> {
    let (folder, from) = (place.generation(number), source.inside()?);
    let eyes = &*cx.world.eyes;
    let text = eyes.read_text(&from.manifest_file())?;
    let manifest = permitted(cx, place, source, manifest(source, &text, &folder)?)?;
    if !eyes.is_folder(&folder)? {
        cx.world.perform(Action::MakeFolder { path: folder.clone() }).await?;
    }
    share::folders(cx, place.way_to(cx, number)).await?;
    copy_includes(cx, source, &folder).await?;
    cx.world.perform(Action::write(folder.join("spack.yaml"), manifest.into_bytes())).await?;
    if from.has_lock {
        let lock = eyes.read(&from.lock_file())?;
        cx.world.perform(Action::write(folder.join("spack.lock"), lock)).await?;
    }
    let name = folder.display().to_string();
    if args.as_is {
        return solved(cx, place, number, from, &name, Outcome::default()).await;
    }
    let inside = scope(cx, Some(name.clone())).await?;
    mend(cx, &view_roots(cx, &inside)?).await?;
    let asked = UpgradeArgs { name: name.clone(), asked: args.asked.clone() };
    let done = upgrade(cx.clone(), asked).await?;
    solved(cx, place, number, from, &name, done.outcome).await
}

async fn solved(
    cx: &Cx,
    place: &Place,
    number: u64,
    from: &EnvironmentInfo,
    name: &str,
    outcome: Outcome,
) -> Result<Solved> {
    let inside = scope(cx, Some(name.to_owned())).await?;
    let eyes = &*cx.world.eyes;
    let after = LockContents::of_environment(eyes, inside.inside()?)?.unwrap_or_default();
    let before = LockContents::of_environment(eyes, from)?.unwrap_or_default();
    let store = installed::now(cx, &inside).await?;
    let is_new = |hash: &String| !store.get(hash).is_some_and(|held| held.installed);
    let known: std::collections::BTreeSet<&str> =
        before.specs.values().map(|row| row.name.as_str()).collect();
    let mut rebuilds: Vec<String> = after
        .specs
        .values()
        .filter(|row| row.external.is_none() && is_new(&row.hash) && known.contains(row.name.as_str()))
        .map(|row| row.name.clone())
        .collect();
    rebuilds.sort();
    rebuilds.dedup();
    Ok(Solved {
        name: place.name.clone(),
        number,
        path: place.generation(number),
        from: from.name.clone(),
        outcome,
        specs: after.specs.len(),
        missing: after.specs.values().filter(|row| row.external.is_none() && is_new(&row.hash)).count(),
        rebuilds,
    })
}

/// The manifest of the new generation: views and modules lead into its own folder.
fn manifest(source: &Scope, text: &str, folder: &std::path::Path) -> Result<String> {
    let mut sets = Vec::new();
    for set in source.config.module_sets()? {
        sets.extend(set.kinds().map(|kind| (set.name.clone(), kind.to_owned())));
    }
    redirected(text, folder, &sets).ok_or_else(|| {
        let file =
            source.environment.as_ref().map(|e| e.manifest_file().display().to_string()).unwrap_or_default();
        Trouble::new(
            Kind::Unsupported,
            format!("the view of {file} cannot be changed so that all else stays"),
        )
        .hint("write `view` and `modules` as blocks, one key a line")
    })
}

/// With what Spack has to know of permissions, so that it gives prefixes to whom the site file says.
fn permitted(cx: &Cx, place: &Place, source: &Scope, text: String) -> Result<String> {
    let ours = place.folder.parent().unwrap_or(&place.folder);
    let permissions = share::permissions(cx, source, ours)?;
    if permissions.is_empty() {
        return Ok(text);
    }
    Ok(with_permissions(&text, &permissions).unwrap_or_else(|| {
        cx.world.warn(
            "the manifest cannot be told of permissions so that all else stays; \
             write packages:all:permissions into Spack's configuration",
        );
        text
    }))
}

/// What the manifest includes by a relative path must be found from the new folder, too.
async fn copy_includes(cx: &Cx, source: &Scope, folder: &std::path::Path) -> Result<()> {
    let eyes = &*cx.world.eyes;
    let from = source.inside()?;
    for info in source.config.scopes.iter().filter(|s| s.exists) {
        let Some(path) = info.path.as_ref().filter(|path| **path != from.manifest_file()) else { continue };
        let Ok(relative) = path.strip_prefix(&from.path) else { continue };
        let files = if eyes.is_folder(path)? {
            eyes.list(path)?.into_iter().map(|name| relative.join(name)).collect()
        } else {
            vec![relative.to_owned()]
        };
        for file in files.into_iter().filter(|file| eyes.finds_file(&from.path.join(file))) {
            let to = folder.join(&file);
            if let Some(parent) = to.parent().filter(|parent| !eyes.finds_folder(parent)) {
                cx.world.perform(Action::MakeFolder { path: parent.to_owned() }).await?;
            }
            cx.world.perform(Action::write(to, eyes.read(&from.path.join(&file))?)).await?;
        }
    }
    Ok(())
}

//! Installs exactly what a generation's lock says, and makes its views and modules in their final place.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::remove::{RemoveArgs, remove};
use super::solve::{SolveArgs, solve};
use crate::base::argument::Span;
use crate::base::{Kind, Result, Trouble};
use crate::generation::series::entry::{LedgerEntry, Progress};
use crate::generation::series::ledger::Ledger;
use crate::generation::series::named::{self, NamedArgs};
use crate::generation::series::place::Place;
use crate::generation::series::track::track;
use crate::generation::tree::{activation, lmod};
use crate::site::Cx;
use crate::spack::change::around::share;
use crate::spack::change::around::view::{RefreshArgs, mend, refresh, view_roots};
use crate::spack::change::env::install::{EnvInstallArgs, install_env};
use crate::spack::change::install::args::{InstallOptions, InstalledRow};
use crate::spack::drive::session::scope;

/// Installs what a solved generation's lock says, caches first, and makes its views and modules.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BuildArgs {
    /// Name of the generations.
    pub name: String,
    /// Which one; left out, the newest that is solved.
    pub number: Option<u64>,
    /// Processes of one build.
    pub jobs: Option<u32>,
    /// Only from build caches; never build.
    pub cache_only: bool,
    /// Stop at the first package that fails.
    pub fail_fast: bool,
    /// Accept binaries without a valid signature.
    pub no_check_signature: bool,
    /// Record packages without building them; for tests of a site.
    pub fake: bool,
    /// End it after this long: seconds or words such as `"6h"`.
    pub timeout: Option<Span>,
}

/// A generation that is built.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Built {
    pub name: String,
    pub number: u64,
    pub path: PathBuf,
    /// What was installed for it.
    pub installed: Vec<InstalledRow>,
    /// Roots of its views.
    pub views: Vec<PathBuf>,
    /// Roots of its module files.
    pub modules: Vec<PathBuf>,
    /// The folder of Lmod's cache of them, where Lmod is here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lmod_cache: Option<PathBuf>,
    pub seconds: f64,
}

pub async fn build(cx: Cx, args: BuildArgs) -> Result<Built> {
    let begun = std::time::Instant::now();
    let ledger = Ledger::ours(&cx, Place::of(&cx, &args.name)?)?;
    let number = chosen(&ledger, args.number)?;
    let _work = Ledger::work_on(&cx, &ledger.place, number).await?;
    // It may have been removed while somebody else had it.
    let (mut ledger, turn) = Ledger::locked(&cx, &args.name).await?;
    chosen(&ledger, Some(number))?;
    // One that was removed in part is put together again.
    if ledger.entry(number)?.removing.is_some() {
        let brought_back = |entry: &mut LedgerEntry| {
            entry.removing = None;
            entry.progress = Progress::Solved;
        };
        ledger.change(&cx, number, brought_back).await?;
    }
    drop(turn);
    let path = ledger.place.generation(number);
    let name = path.display().to_string();
    let options = InstallOptions {
        only_concrete: true,
        jobs: args.jobs,
        cache_only: args.cache_only,
        fail_fast: args.fail_fast,
        no_check_signature: args.no_check_signature,
        fake: args.fake,
        timeout: args.timeout,
        ..InstallOptions::default()
    };
    let done = async {
        track(&cx, &ledger.place, number).await?;
        // A Spack that was killed while it made a view cannot make it again over what it has left.
        let inside = scope(&cx, Some(name.clone())).await?;
        mend(&cx, &view_roots(&cx, &inside)?).await?;
        let installed =
            install_env(cx.clone(), EnvInstallArgs { name: name.clone(), specs: None, options }).await?;
        let made = refresh(cx.clone(), RefreshArgs { name: name.clone() }).await?;
        activation::write(&cx, &inside, &ledger.place, number).await?;
        let lmod_cache = lmod::cache(&cx, &inside, &ledger.place, number).await?;
        share::trees(&cx, &inside, vec![path.clone()]).await?;
        Ok::<_, Trouble>((installed, made, lmod_cache))
    };
    match done.await {
        Ok((installed, made, lmod_cache)) => {
            let (mut ledger, _turn) = Ledger::locked(&cx, &args.name).await?;
            ledger
                .change(&cx, number, |entry| {
                    entry.progress = entry.progress.max(Progress::Built);
                    if entry.progress == Progress::Broken {
                        entry.progress = Progress::Built;
                    }
                    entry.why = None;
                })
                .await?;
            Ok(Built {
                name: ledger.place.name.clone(),
                number,
                path,
                installed: installed.installed,
                views: made.views,
                modules: made.modules,
                lmod_cache,
                seconds: begun.elapsed().as_secs_f64(),
            })
        }
        Err(trouble) => {
            // A cancel is no fault of the generation; it can be built again.
            if !trouble.is(Kind::Cancelled) {
                broken(&cx, &args.name, number, trouble.message()).await;
            }
            Err(trouble)
        }
    }
}

/// Notes that it could not be built. That the note fails must not hide why.
async fn broken(cx: &Cx, name: &str, number: u64, why: &str) {
    let note = async {
        let (mut ledger, _turn) = Ledger::locked(cx, name).await?;
        let change = |entry: &mut LedgerEntry| {
            entry.progress = Progress::Broken;
            entry.why = Some(why.to_owned());
        };
        ledger.change(cx, number, change).await
    };
    if let Err(other) = note.await {
        cx.world.warn(format!("generation {number} of {name} is not marked as broken: {}", other.message()));
    }
}

fn chosen(ledger: &Ledger, number: Option<u64>) -> Result<u64> {
    let number = match number {
        Some(number) => number,
        None => ledger.newest(Progress::Solved).ok_or_else(|| {
            Trouble::new(Kind::NotFound, format!("'{}' has no generation that is solved", ledger.place.name))
                .hint("moonstack generation solve begins one")
        })?,
    };
    if ledger.entry(number)?.progress == Progress::Begun {
        return Err(Trouble::new(Kind::Refused, format!("generation {number} was not solved to its end"))
            .hint("remove it and solve again"));
    }
    Ok(number)
}

/// Turns an existing environment into the first generation. Nothing is installed again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct AdoptArgs {
    /// The environment: its name or folder.
    pub env: String,
    /// Name of the generations; left out, as `generation.named` tells it.
    pub name: Option<String>,
}

pub async fn adopt(cx: Cx, args: AdoptArgs) -> Result<Built> {
    let name = match args.name {
        Some(name) => name,
        None => named::named(cx.clone(), NamedArgs { env: args.env.clone() }).await?,
    };
    let ledger = Ledger::ours(&cx, Place::of(&cx, &name)?)?;
    // What an adoption left that failed is no generation that anybody could have meant.
    let whole =
        |(_, entry): &(&u64, &LedgerEntry)| !matches!(entry.progress, Progress::Begun | Progress::Broken);
    let published = ledger.publications().first().map(|first| first.number);
    // One that was cut short is gone on with.
    let description = format!("adopted from {}", args.env);
    let is_begun = |(_, entry): &(&u64, &LedgerEntry)| {
        entry.progress == Progress::Solved && entry.description.as_ref() == Some(&description)
    };
    let begun = ledger.entries().iter().find(is_begun).map(|(number, _)| *number);
    if let Some(number) = begun.filter(|_| published.is_none()) {
        return build(cx, BuildArgs { name, number: Some(number), ..BuildArgs::default() }).await;
    }
    if let Some(first) = published.or(ledger.entries().iter().find(whole).map(|(number, _)| *number)) {
        return Err(Trouble::new(
            Kind::Exists,
            format!("'{name}' has generations already, beginning with {first}"),
        )
        .hint("`moonstack generation solve` begins the next one; --name makes another line"));
    }
    let description = Some(description);
    let solved = solve(
        cx.clone(),
        SolveArgs {
            name: name.clone(),
            from: Some(args.env.clone()),
            as_is: true,
            description,
            ..SolveArgs::default()
        },
    )
    .await?;
    if solved.missing > 0 {
        cx.world.warn(format!(
            "{} specs of {} are not installed; they are installed now",
            solved.missing, args.env
        ));
    }
    let number = solved.number;
    let built =
        build(cx.clone(), BuildArgs { name: name.clone(), number: Some(number), ..BuildArgs::default() })
            .await;
    if let Err(trouble) = &built
        && !trouble.is(Kind::Cancelled)
    {
        // Nobody is on it, and an environment that Spack tracks for nothing would only be in the way.
        let gone =
            RemoveArgs { name, number, keep_specs: true, dry_run: false, force: true, without: Vec::new() };
        if let Err(other) = remove(cx.clone(), gone).await {
            cx.world.warn(format!("generation {number} is left behind: {}", other.message()));
        }
    }
    built
}

//! Creates and deletes environments, and changes what their manifests ask for.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::change::around::lock::{touched, warn_of_upgrade};
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::invoke::{self, Answer};
use crate::spack::drive::session::{Scope, scope, within};
use crate::spack::drive::{failure, locks};
use crate::spack::environment::manifest::Manifest;
use crate::spack::environment::{self, EnvironmentInfo, EnvironmentKind};
use crate::spack::read::concretize::Specs;
use crate::spack::read::roots::{same, same_written};
use crate::spack::spec::words;
use crate::world::scope::postcondition::Postcondition;
use crate::world::scope::replay;

/// Whether and where an environment has a view.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ViewChoice {
    Flag(bool),
    Path(String),
}

/// Creates an environment. If one of its specs is refused, the environment is not left behind.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct CreateArgs {
    /// Its name, or with `independent` its folder.
    pub name: String,
    /// What it asks for: a spec or a list.
    pub specs: Option<Specs>,
    /// A folder that Spack does not list, instead of a name.
    #[serde(default)]
    pub independent: bool,
    /// A `spack.yaml` or `spack.lock` to begin with.
    pub from: Option<String>,
    /// `false` for none, or the folder to put it in; left out, the usual one.
    pub view: Option<ViewChoice>,
    /// Environments whose locks it includes.
    #[serde(default)]
    pub include: Vec<String>,
}

pub async fn create(cx: Cx, args: CreateArgs) -> Result<EnvironmentInfo> {
    let outside = scope(&cx, None).await?;
    let specs = args.specs.as_ref().map(Specs::words).transpose()?.unwrap_or_default();
    if !args.independent {
        environment::check_name(&args.name, outside.config.release)?;
    }
    let _lock = locks::named(&cx, &format!("new environment {}", args.name)).await?;
    let known = environment::find(&*cx.world.eyes, &outside.config, &args.name).ok();
    // An interrupted run may have come this far; then only what it asks for is left to be put in.
    if let Some(known) = &known
        && !replay::was_begun()
    {
        return Err(Trouble::new(Kind::Refused, format!("environment '{}' exists already", known.name))
            .fact("path", known.path.display().to_string()));
    }
    let made = if known.is_some() {
        scope(&cx, Some(args.name.clone())).await?
    } else {
        let answer = invoke::run(&cx, &outside, Invocation::changes(create_words(&args))).await?;
        failure::check(&*cx.world.eyes, &answer)?;
        scope(&cx, Some(args.name.clone())).await.map_err(|t| not_done(&answer, t.message()))?
    };
    replay::prove_file(&*cx.world.eyes, &made.inside()?.manifest_file());
    let specs = read_as_words(&cx, &made, specs);
    if !specs.is_empty()
        && let Err(trouble) = put_in(&cx, &made, specs).await
    {
        let gone = drop_it(&cx, &made).await;
        return Err(match gone {
            Ok(()) => trouble,
            Err(other) => trouble.hint(format!("the new environment is still there: {}", other.message())),
        });
    }
    made.inside().cloned()
}

fn create_words(args: &CreateArgs) -> Vec<String> {
    let mut words: Vec<String> = ["env", "create"].map(str::to_owned).to_vec();
    if args.independent {
        words.push("-d".to_owned());
    }
    match &args.view {
        Some(ViewChoice::Flag(false)) => words.push("--without-view".to_owned()),
        Some(ViewChoice::Path(path)) => words.extend(["--with-view".to_owned(), path.clone()]),
        Some(ViewChoice::Flag(true)) | None => {}
    }
    for name in &args.include {
        words.extend(["--include-concrete".to_owned(), name.clone()]);
    }
    // A relative path would be taken from Spack's own idea of where it is.
    let absolute =
        |path: &str| std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path)).display().to_string();
    words.push(if args.independent { absolute(&args.name) } else { args.name.clone() });
    words.extend(args.from.as_deref().map(absolute));
    words
}

/// Deletes an environment. What it had installed stays in the store, until garbage is collected.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct DeleteArgs {
    /// Its name.
    pub name: String,
    /// Although others include it.
    #[serde(default)]
    pub force: bool,
}

pub async fn delete(cx: Cx, args: DeleteArgs) -> Result<EnvironmentInfo> {
    let scope = scope(&cx, Some(args.name.clone())).await?;
    let _lock = locks::changing(&cx, &scope).await?;
    let environment = scope.inside()?.clone();
    if environment.kind == EnvironmentKind::Independent {
        return Err(Trouble::new(Kind::Refused, format!("{} is not managed by Spack", environment.name))
            .hint("it is a folder like any other: fs.remove removes it"));
    }
    let mut words: Vec<String> = ["env", "remove", "-y"].map(str::to_owned).to_vec();
    if args.force {
        words.push("-f".to_owned());
    }
    words.push(environment.name.clone());
    let place = scope.config.environments_root()?.path.join(&environment.name);
    let gone = Postcondition::Absent { path: place.clone() };
    replay::plan_result(&environment, vec![gone.clone()]);
    let outside = Scope { environment: None, ..scope };
    let invocation = Invocation { touches: vec![place], ..Invocation::changes(words) };
    let answer = invoke::run(&cx, &outside, invocation).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    replay::prove(gone);
    let name = environment.name.clone();
    let left =
        within(&cx, None, move |cx, outside| environment::list(&*cx.world.eyes, &outside.config)).await?;
    if left.iter().any(|e| e.name == name) {
        return Err(not_done(&answer, &format!("environment '{name}' is still there")));
    }
    Ok(environment)
}

/// Adds specs to what an environment asks for. Concretize it afterwards.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct AddArgs {
    /// Name of the environment, or its folder.
    pub name: String,
    /// The spec, or a list.
    pub specs: Specs,
}

/// What a manifest asks for now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ManifestChange {
    /// What was asked for newly, or no longer.
    pub changed: Vec<String>,
    /// What was so before.
    pub unchanged: Vec<String>,
    /// Everything that the manifest asks for now.
    pub specs: Vec<String>,
}

pub async fn add(cx: Cx, args: AddArgs) -> Result<ManifestChange> {
    let scope = scope(&cx, Some(args.name)).await?;
    let specs = read_as_words(&cx, &scope, args.specs.words()?);
    let _lock = locks::changing(&cx, &scope).await?;
    warn_of_upgrade(&cx, &scope)?;
    put_in(&cx, &scope, specs).await
}

/// The specs that Spack reads in these words: `mpich` and `+debug` are one.
fn read_as_words(cx: &Cx, scope: &Scope, given: Vec<String>) -> Vec<String> {
    let text = words::join(&given, scope.spack.dialect());
    match scope.specs(cx, &text) {
        Ok(specs) if specs.len() != given.len() => specs.iter().map(ToString::to_string).collect(),
        // As many, or what only Spack can read.
        _ => given,
    }
}

async fn put_in(cx: &Cx, scope: &Scope, specs: Vec<String>) -> Result<ManifestChange> {
    let before = asked(cx, scope).await?;
    let (unchanged, changed): (Vec<String>, Vec<String>) =
        specs.into_iter().partition(|s| before.iter().any(|b| same(cx, scope, b, s)));
    if changed.is_empty() {
        return Ok(ManifestChange { changed, unchanged, specs: before });
    }
    let words = std::iter::once("add".to_owned()).chain(changed.iter().cloned());
    let invocation = Invocation { touches: touched(scope)?, ..Invocation::changes(words) };
    let answer = invoke::run(cx, scope, invocation).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    replay::prove_file(&*cx.world.eyes, &scope.inside()?.manifest_file());
    let after = asked(cx, scope).await?;
    let asks = |s: &&String| after.iter().any(|a| same_written(cx, scope, a, s));
    let lost: Vec<&str> = changed.iter().filter(|s| !asks(s)).map(String::as_str).collect();
    if !lost.is_empty() {
        return Err(not_done(&answer, &format!("the manifest does not ask for {}", lost.join(", "))));
    }
    Ok(ManifestChange { changed, unchanged, specs: after })
}

/// Removes specs from what an environment asks for. The lock keeps them until it is concretized again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct RemoveArgs {
    /// Name of the environment, or its folder.
    pub name: String,
    /// The spec, or a list, as the manifest has them.
    pub specs: Specs,
    /// From the lock as well.
    #[serde(default)]
    pub force: bool,
}

pub async fn remove(cx: Cx, args: RemoveArgs) -> Result<ManifestChange> {
    let scope = scope(&cx, Some(args.name)).await?;
    let specs = read_as_words(&cx, &scope, args.specs.words()?);
    let _lock = locks::changing(&cx, &scope).await?;
    warn_of_upgrade(&cx, &scope)?;
    let before = asked(&cx, &scope).await?;
    let there = |s: &String| before.iter().any(|b| same(&cx, &scope, b, s));
    if replay::was_begun() && !specs.iter().any(there) {
        return Ok(ManifestChange { changed: specs, unchanged: Vec::new(), specs: before });
    }
    let mut words = vec!["remove".to_owned()];
    if args.force {
        words.push("--force".to_owned());
    }
    words.extend(specs.iter().cloned());
    let invocation = Invocation { touches: touched(&scope)?, ..Invocation::changes(words) };
    let answer = invoke::run(&cx, &scope, invocation).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    replay::prove_file(&*cx.world.eyes, &scope.inside()?.manifest_file());
    let after = asked(&cx, &scope).await?;
    let asks = |s: &&String| after.iter().any(|a| same(&cx, &scope, a, s));
    let left: Vec<&str> = specs.iter().filter(asks).map(String::as_str).collect();
    if !left.is_empty() {
        return Err(not_done(&answer, &format!("the manifest still asks for {}", left.join(", "))));
    }
    let changed = before.into_iter().filter(|b| !after.contains(b)).collect();
    Ok(ManifestChange { changed, unchanged: Vec::new(), specs: after })
}

/// What the manifest asks for, as it is now.
async fn asked(cx: &Cx, scope: &Scope) -> Result<Vec<String>> {
    let name = scope.inside()?.path.display().to_string();
    within(cx, Some(name), |cx, scope| {
        let manifest = Manifest::read(&*cx.world.eyes, &scope.config, None)?;
        Ok(manifest.specs.into_iter().map(|s| s.text).collect())
    })
    .await
}

async fn drop_it(cx: &Cx, scope: &Scope) -> Result<()> {
    let environment = scope.inside()?;
    if environment.kind == EnvironmentKind::Independent {
        for file in [environment.manifest_file(), environment.lock_file()] {
            if cx.world.eyes.exists(&file) {
                cx.world.perform(crate::world::Action::RemovePath { path: file }).await?;
            }
        }
        return Ok(());
    }
    delete(cx.clone(), DeleteArgs { name: environment.name.clone(), force: false }).await.map(drop)
}

fn not_done(answer: &Answer, what: &str) -> Trouble {
    answer.about(Trouble::new(Kind::NotDone, format!("{} ended well, but {what}", answer.title)))
}

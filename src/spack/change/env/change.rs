//! Creates and deletes environments.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::change::env::asked::{put_in, read_as_words};
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::invoke::{self, Answer};
use crate::spack::drive::session::{Scope, scope, within};
use crate::spack::drive::{failure, locks};
use crate::spack::environment::{self, EnvironmentInfo, EnvironmentKind};
use crate::spack::read::concretize::Specs;
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

async fn drop_it(cx: &Cx, scope: &Scope) -> Result<()> {
    let environment = scope.inside()?;
    if environment.kind == EnvironmentKind::Independent {
        for file in [environment.manifest_file(), environment.lock_file()] {
            if cx.world.eyes.exists(&file)? {
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

//! Concretizes an environment and installs it; the lock and the database say what came of it.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::argument::Span;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::change::around::lock::{self, warn_of_upgrade};
use crate::spack::change::around::view::mend_interrupted;
use crate::spack::change::install::args::TestScope;
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::drive::{failure, invoke, locks};
use crate::spack::lock::contents::RootRow;
use crate::spack::lock::diff::rows::PackageDiff;
use crate::spack::read::concretize::reuse_option;
use crate::spack::read::env_status::{RootState, RootStatus, Status, status_of};
use crate::spack::read::roots::same_written;
use crate::world::scope::replay;

/// Concretizes an environment and tells what changed in its lock.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ConcretizeArgs {
    /// Name of the environment, or its folder.
    pub name: String,
    /// Everything again, also what the lock has already.
    #[serde(default)]
    pub force: bool,
    /// Ignore what is installed or in mirrors (`true`), or prefer it (`false`); left out, as configured.
    pub fresh: Option<bool>,
    /// With what the packages' own tests need: `root` or `all`.
    pub test: Option<TestScope>,
    /// End it after this long: seconds or words such as `"1h"`.
    pub timeout: Option<Span>,
}

/// A lock as it is now, and what changed in it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Concretization {
    /// The environment.
    pub name: String,
    /// The lock asks for something else than before.
    pub changed: bool,
    /// What changed, package by package.
    pub changes: Vec<PackageDiff>,
    /// Its roots.
    pub roots: Vec<RootRow>,
    /// Concrete specs in the lock.
    pub specs: usize,
    /// Of these, not installed.
    pub missing: usize,
    /// What Spack printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

pub async fn concretize(cx: Cx, args: ConcretizeArgs) -> Result<Concretization> {
    let scope = scope(&cx, Some(args.name.clone())).await?;
    let _lock = locks::changing(&cx, &scope).await?;
    warn_of_upgrade(&cx, &scope)?;
    guided(&cx, &scope, args, None).await
}

/// The same where the lock is held already, with a folder of configuration that outranks all other.
pub async fn guided(
    cx: &Cx,
    scope: &Scope,
    args: ConcretizeArgs,
    guidance: Option<&Path>,
) -> Result<Concretization> {
    let before = read(cx, scope, lock::text).await?;
    let mut words = vec!["concretize".to_owned()];
    if args.force {
        words.push("--force".to_owned());
    }
    words.extend(reuse_option(args.fresh).map(str::to_owned));
    if let Some(test) = args.test {
        words.extend(["--test".to_owned(), test.word().to_owned()]);
    }
    let mut invocation = Invocation {
        timeout: args.timeout.map(|s| s.0),
        touches: vec![scope.inside()?.lock_file()],
        ..Invocation::changes(words)
    };
    if let Some(folder) = guidance {
        // The folder is made anew each time.
        invocation.shown = Some(invocation.words.clone());
        invocation.words.splice(..0, ["-C".to_owned(), folder.display().to_string()]);
    }
    mend_interrupted(cx, scope).await?;
    let answer = invoke::run(cx, scope, invocation).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    replay::prove_file(&*cx.world.eyes, &scope.inside()?.lock_file());
    let changes =
        read(cx, scope, move |cx, scope| lock::changes(before.as_ref(), lock::text(cx, scope)?.as_ref()));
    let changes = changes.await?;
    let status = read(cx, scope, status_of).await?;
    let behind = behind(scope, &status);
    // Roots that only Spack can expand cannot be compared here.
    if !behind.is_empty() && status.not_understood.is_empty() {
        let message = format!(
            "{} ended well, but the lock is not what the manifest asks for: {}",
            answer.title,
            behind.join(", ")
        );
        return Err(answer.about(Trouble::new(Kind::NotDone, message)));
    }
    let root = |r: &RootStatus| Some(RootRow { spec: r.spec.clone(), hash: r.hash.clone()? });
    Ok(Concretization {
        changed: !changes.is_empty(),
        changes: changes.packages,
        roots: status.roots.iter().filter_map(root).collect(),
        specs: status.locked,
        missing: status.locked.saturating_sub(status.installed),
        name: status.name,
        log: answer.log.as_ref().map(|log| log.display().to_string()),
    })
}

/// The roots that the lock does not have although Spack has just solved the manifest, and those that it has still. Some
/// are other roots to Spack as soon as it has written them down; it concretizes those again each time.
fn behind<'s>(scope: &Scope, status: &'s Status) -> Vec<&'s str> {
    let of = |state: RootState| status.roots.iter().filter(move |root| root.state == state);
    let written = |asked: &RootStatus, locked: &RootStatus| same_written(scope, &asked.spec, &locked.spec);
    let missing = of(RootState::NotConcretized)
        .filter(|asked| !of(RootState::Stale).any(|locked| written(asked, locked)));
    let left = of(RootState::Stale)
        .filter(|locked| !of(RootState::NotConcretized).any(|asked| written(asked, locked)));
    missing.chain(left).map(|root| root.spec.as_str()).collect()
}

/// Reads off the script thread.
async fn read<T: Send + 'static>(
    cx: &Cx,
    scope: &Scope,
    work: impl FnOnce(&Cx, &Scope) -> Result<T> + Send + 'static,
) -> Result<T> {
    let scope = scope.clone();
    cx.blocking(move |cx| {
        let name = scope.inside()?.path.display().to_string();
        work(&cx, &Scope::open(&cx, Some(&name))?)
    })
    .await
}

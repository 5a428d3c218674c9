//! Solves an environment so that it gets what is asked, and keeps all else. What needs the asked packages is solved
//! anew, with the versions, variants and providers that it has where that is possible; every other root stays locked.
//! Where that has no solution, more may change: first every root, preferring what there is, then as
//! `spack concretize --force` would. The manifest is changed to ask for it, and put back with the lock where nothing
//! solves.
//!
//! ```text
//! { guidance, help } → asks → { requirements, rivals } → why → { args, unlock }
//! ```

mod args;
mod asks;
mod guidance;
mod help;
mod requirements;
mod rivals;
mod unlock;
mod why;

use std::collections::BTreeSet;
use std::path::Path;

pub use self::args::{Asked, Outcome, Stays, UpgradeArgs, Upgraded};
use self::asks::{Asks, Present};
use self::guidance::Guidance;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::change::around::lock::{self, warn_of_upgrade};
use crate::spack::change::around::requests;
use crate::spack::change::env::concretize::{Concretization, ConcretizeArgs, guided};
use crate::spack::drive::locks;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::environment::manifest::Manifest;
use crate::spack::lock::contents::LockContents;
use crate::spack::lock::lockfile::LockfileText;
use crate::spack::store::recipes::{Recipes, RepositoryRecipes};
use crate::world::Action;
use crate::world::scope::cancel::Cancel;

pub async fn upgrade(cx: Cx, args: UpgradeArgs) -> Result<Upgraded> {
    let scope = scope(&cx, Some(args.name.clone())).await?;
    let _lock = locks::changing(&cx, &scope).await?;
    // A cancel waits until the files are put back.
    let cancel = Cancel::current().unwrap_or_default();
    let _hold = cancel.hold();
    warn_of_upgrade(&cx, &scope)?;
    let before = Before::read(&cx, &scope)?;
    let eyes = &*cx.world.eyes;
    let recipes = RepositoryRecipes::new(eyes, scope.config.recipe_folders(eyes)?, scope.spack.dialect());
    let present = before.present(&scope, &recipes);
    let asks = Asks::of(&args.asked, &present)?;
    let solved =
        Solving { cx: &cx, scope: &scope, args: &args, before: &before, present: &present, asks: &asks }
            .run()
            .await;
    let (done, solves, mut gave_up) = match solved {
        Ok(solved) => solved,
        Err(trouble) => {
            return Err(match before.put_back(&cx, &scope).await {
                Ok(()) => help::helped(&*cx.world.eyes, &scope, &asks, trouble),
                Err(other) => trouble.hint(format!("its files are not put back: {}", other.message())),
            });
        }
    };
    let after = Before::read(&cx, &scope.as_now(&cx).await?)?;
    gave_up.extend(asks.gave_way.iter().cloned());
    let asked = asks.names();
    let mut changes = lock::changes(before.lock_text.as_ref(), after.lock_text.as_ref())?;
    why::explain(&mut changes.packages, &asked, &before.lock, &after.lock);
    let outcome = Outcome {
        changed: !changes.is_empty() || before.manifest_text != after.manifest_text,
        stays: why::staying(&asks.specs, &before.lock, &after.lock, scope.spack.dialect()),
        changes: changes.packages,
        solves,
        gave_up,
    };
    Ok(Upgraded { name: done.name, outcome, specs: done.specs, missing: done.missing })
}

/// An environment's files as they are before anything is changed.
struct Before {
    manifest: Manifest,
    manifest_text: String,
    lock: LockContents,
    lock_text: Option<LockfileText>,
}

impl Before {
    fn read(cx: &Cx, scope: &Scope) -> Result<Before> {
        let (eyes, environment) = (&*cx.world.eyes, scope.inside()?);
        let lock = LockfileText::of(cx, environment)?;
        Ok(Before {
            manifest: Manifest::read(eyes, &scope.config)?,
            manifest_text: eyes.read_text(&environment.manifest_file())?,
            lock: lock.as_ref().map(|text| LockContents::of(&text.parse()?)).transpose()?.unwrap_or_default(),
            lock_text: lock,
        })
    }

    fn present<'a>(&'a self, scope: &'a Scope, recipes: &'a (dyn Recipes + Sync)) -> Present<'a> {
        Present {
            text: &self.manifest_text,
            manifest: &self.manifest,
            lock: &self.lock,
            config: &scope.config,
            dialect: scope.spack.dialect(),
            recipes,
        }
    }

    async fn put_back(&self, cx: &Cx, scope: &Scope) -> Result<()> {
        write(cx, scope, &self.manifest_text, self.lock_text.as_ref().map(LockfileText::text)).await
    }
}

/// Writes what differs.
async fn write(cx: &Cx, scope: &Scope, manifest: &str, lock: Option<&str>) -> Result<()> {
    let (eyes, environment) = (&*cx.world.eyes, scope.inside()?);
    let (manifest_file, lock_file) = (environment.manifest_file(), environment.lock_file());
    if eyes.read_text(&manifest_file)? != manifest {
        cx.world.perform(Action::write(manifest_file, manifest.as_bytes().to_vec())).await?;
    }
    let now = if eyes.exists(&lock_file)? { Some(eyes.read_text(&lock_file)?) } else { None };
    match lock {
        Some(text) if now.as_deref() != Some(text) => {
            cx.world.perform(Action::write(lock_file, text.as_bytes().to_vec())).await?;
        }
        None if now.is_some() => {
            cx.world.perform(Action::RemovePath { path: lock_file }).await?;
        }
        _ => {}
    }
    scope.spack.forget();
    Ok(())
}

/// What Spack solved, after how many attempts, and what was given up for it.
type Solution = (Concretization, u32, Vec<String>);

struct Solving<'a> {
    cx: &'a Cx,
    scope: &'a Scope,
    args: &'a UpgradeArgs,
    before: &'a Before,
    present: &'a Present<'a>,
    asks: &'a Asks,
}

impl Solving<'_> {
    /// The solution, how many times it was looked for, and what was given up for it.
    async fn run(&self) -> Result<Solution> {
        let written = self.asks.written(self.present)?;
        let asked = &self.args.asked;
        let lock = self.before.lock_text.as_ref().map(LockfileText::text).filter(|_| !asked.all);
        let Some(lock) = lock else {
            let fresh = asked.fresh.or(asked.all.then_some(true));
            return Ok((self.again(&written, fresh).await?, 1, Vec::new()));
        };
        let folder = requests::folder(self.cx);
        let solved = self.with_least_change(&written, lock, &folder).await;
        let removed = requests::remove(self.cx, folder).await;
        let solved = solved?;
        removed?;
        Ok(solved)
    }

    /// Lets go of more, until there is a solution.
    async fn with_least_change(&self, written: &str, lock: &str, folder: &Path) -> Result<Solution> {
        let touched = unlock::dependents(&self.before.lock, &self.asks.names());
        let guidance = Guidance {
            scope: self.scope,
            lock: &self.before.lock,
            lock_text: lock,
            asks: self.asks,
            touched: &touched,
            fresh: self.args.asked.fresh,
            dependents: self.args.asked.dependents,
            manifest: &self.before.manifest_text,
        };
        let guidance = guidance.written(self.cx, folder).await?;
        let locked = unlock::without_roots(lock, |spec, hash| !self.is_anew(spec, hash, &touched))?;
        let mut solves = 1;
        let mut trouble = match self.solve(written, Some(&locked), false, None, Some(&guidance)).await {
            Err(trouble) if is_unsatisfiable(&trouble) => trouble,
            other => return Ok((other?, solves, Vec::new())),
        };
        let nothing = unlock::without_roots(lock, |_, _| false)?;
        if nothing != locked {
            solves += 1;
            match self.solve(written, Some(&nothing), false, None, Some(&guidance)).await {
                Err(other) if is_unsatisfiable(&other) => trouble = other,
                other => return Ok((other?, solves, vec!["the other roots were solved again".to_owned()])),
            }
        }
        let literal = self.asks.literal(self.scope.spack.dialect());
        let mut gave_up = vec!["everything was solved again, without preferring what there is".to_owned()];
        for (kept, given) in self.asks.roots.iter().zip(&literal.roots).filter(|(a, b)| a != b) {
            let (Some(kept), Some(given)) = (&kept.to, &given.to) else { continue };
            gave_up.push(format!("'{kept}' has no solution, so it asks for '{given}'"));
        }
        let written = literal.written(self.present)?;
        match self.again(&written, self.args.asked.fresh).await {
            Ok(done) => Ok((done, solves + 1, gave_up)),
            // A Spack that does not say what it failed of is no better reason than the one before.
            Err(later) => Err(if later.is(Kind::Program) { trouble } else { later }),
        }
    }

    /// A root that does not stay locked.
    fn is_anew(&self, spec: &str, hash: &str, touched: &BTreeSet<String>) -> bool {
        let is_changed = |change: &asks::RootChange| change.from.as_deref() == Some(spec);
        let takes_along = self.args.asked.dependents || self.before.manifest.unify == "true";
        let on_requirement = !self.asks.requirements.is_empty();
        self.asks.roots.iter().any(is_changed) || (takes_along || on_requirement) && touched.contains(hash)
    }

    /// Everything, as Spack does it.
    async fn again(&self, manifest: &str, fresh: Option<bool>) -> Result<Concretization> {
        let lock = self.before.lock_text.as_ref().map(LockfileText::text);
        self.solve(manifest, lock, true, fresh, None).await
    }

    async fn solve(
        &self,
        manifest: &str,
        lock: Option<&str>,
        force: bool,
        fresh: Option<bool>,
        guidance: Option<&Path>,
    ) -> Result<Concretization> {
        write(self.cx, self.scope, manifest, lock).await?;
        let scope = self.scope.as_now(self.cx).await?;
        let name = self.args.name.clone();
        let args = ConcretizeArgs { name, force, fresh, test: None, timeout: None };
        guided(self.cx, &scope, args, guidance).await
    }
}

/// Nothing satisfies everything at once. What names something that does not exist is not helped by letting go of more.
fn is_unsatisfiable(trouble: &Trouble) -> bool {
    let told = |words: &str| trouble.message().contains(words);
    trouble.is(Kind::Concretization) && (told("failed to concretize") || told("concretizer internal error"))
}

//! Garbage collection: what would go is computed here as Spack computes it, so it can be shown first; Spack
//! removes it, and what is gone afterwards must be exactly that.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::uninstall::{Removal, remove, remove_from_store};
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::installed::{self, Named};
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::locks;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::environment::{self, EnvironmentInfo};
use crate::spack::lock::contents::LockContents;
use crate::spack::read::find::query;
use crate::spack::read::keepers;
use crate::spack::store::row::SpecRow;
use crate::spack::store::stores::Stores;

/// Uninstalls what nothing needs: neither a spec that a user asked for nor, with `env`, `except` or `unused`,
/// an environment. Try it with `dry_run` first.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct GcArgs {
    /// Only of what matches this, in Spack's syntax.
    pub query: Option<String>,
    /// Only what this environment holds and its roots do not need.
    pub env: Option<String>,
    /// Everything that these environments do not need, also what users asked for.
    pub except: Vec<String>,
    /// Everything that no environment needs, also what users asked for.
    pub unused: bool,
    /// With `unused`: folders of environments that cannot be looked at, and that are taken to need nothing.
    pub without: Vec<PathBuf>,
    /// Keep what is needed only to build.
    pub keep_build_dependencies: bool,
    /// Only tell what would go.
    pub dry_run: bool,
}

pub async fn gc(cx: Cx, args: GcArgs) -> Result<Removal> {
    if args.env.is_some() && (args.unused || !args.except.is_empty()) {
        return Err(Trouble::usage("'env' cannot be combined with 'except' or 'unused'"));
    }
    let scope = scope(&cx, args.env.clone()).await?;
    let _lock = locks::store(&cx, &scope).await?;
    let (again, asked) = (scope.clone(), args.clone());
    let (specs, exactly) = cx.blocking(move |cx| plan(&cx, &again, &asked)).await?;
    if specs.is_empty() || args.dry_run {
        return Ok(Removal { specs, dry_run: args.dry_run, log: None });
    }
    let before = installed::now(&cx, &scope).await?;
    let mut words = vec!["gc".to_owned(), "-y".to_owned()];
    if args.keep_build_dependencies {
        words.push("--keep-build-dependencies".to_owned());
    }
    if args.unused {
        words.push("--except-any-environment".to_owned());
    }
    for name in &args.except {
        words.extend(["--except-environment".to_owned(), name.clone()]);
    }
    words.extend(args.query.as_deref().map(crate::spack::read::concretize::word).transpose()?);
    let log = if exactly {
        remove(&cx, &scope, Invocation::changes(words), &specs).await?
    } else {
        // Spack's collection does not spare what environments include; it is told what goes, one by one.
        remove_from_store(&cx, &scope, &["uninstall", "-y", "--force"], &specs).await?
    };
    let after = installed::now(&cx, &scope).await?;
    let planned: BTreeSet<&str> = specs.iter().map(|s| s.hash.as_str()).collect();
    let also: Vec<&String> = before
        .iter()
        .filter(|(hash, held)| held.local && held.installed && !planned.contains(hash.as_str()))
        .filter(|(hash, _)| after.get(*hash).is_none_or(|h| !h.installed))
        .map(|(hash, _)| hash)
        .collect();
    if !also.is_empty() {
        let message = format!("{} specs went that were not to go", also.len());
        let also: Vec<String> =
            also.into_iter().map(|hash| format!("{}/{hash}", before[hash].name)).collect();
        return Err(Trouble::new(Kind::NotDone, message)
            .fact("also_removed", also)
            .hint("somebody else may have uninstalled them meanwhile"));
    }
    Ok(Removal { specs, dry_run: false, log })
}

/// What would go, and whether Spack's own collection takes exactly that.
fn plan(cx: &Cx, scope: &Scope, args: &GcArgs) -> Result<(Vec<Named>, bool)> {
    let (with_included, own) = (roots(cx, scope, args, true)?, roots(cx, scope, args, false)?);
    let specs = unneeded(cx, scope, args, &with_included)?;
    let exactly = specs.len() == unneeded(cx, scope, args, &own)?.len();
    Ok((specs, exactly))
}

fn unneeded(cx: &Cx, scope: &Scope, args: &GcArgs, roots: &Roots) -> Result<Vec<Named>> {
    let matching: Option<BTreeSet<String>> = match &args.query {
        None => None,
        Some(text) => {
            let query = query(cx, scope, text)?;
            Some(scope.with_stores(cx, |stores, recipes| {
                let found = query.run(stores, Some(recipes))?;
                Ok(found.iter().map(|e| e.record.hash.to_owned()).collect())
            })?)
        }
    };
    scope.with_stores(cx, |stores, _| {
        let needed = needed(stores, roots, args.keep_build_dependencies)?;
        let mut rows: Vec<SpecRow> = Vec::new();
        for entry in stores.entries().filter(|e| e.store == 0 && e.record.installed) {
            let hash = entry.record.hash;
            if !needed.contains(hash) && matching.as_ref().is_none_or(|m| m.contains(hash)) {
                rows.push(SpecRow::of_entry(stores, entry)?);
            }
        }
        rows.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
        Ok(rows.iter().map(Named::of).collect())
    })
}

/// What is not garbage, whatever needs it.
enum Roots {
    /// Every spec that a user asked for.
    Explicit,
    /// These hashes.
    Only(BTreeSet<String>),
    /// Everything outside of an environment, and its roots.
    AllBut(BTreeSet<String>),
}

/// The roots of environments, with or without those that they include.
fn roots(cx: &Cx, scope: &Scope, args: &GcArgs, included: bool) -> Result<Roots> {
    let eyes = &*cx.world.eyes;
    let contents =
        |info: &EnvironmentInfo| LockContents::of_environment(eyes, info).map(Option::unwrap_or_default);
    let own = |locked: &LockContents| {
        let all = locked.roots.iter().chain(locked.included.iter().filter(|_| included));
        all.map(|root| root.hash.clone()).collect::<Vec<_>>()
    };
    if let Some(info) = &scope.environment {
        let locked = contents(info)?;
        let roots = own(&locked);
        return Ok(Roots::AllBut(locked.specs.into_keys().filter(|hash| !roots.contains(hash)).collect()));
    }
    if !args.unused && args.except.is_empty() {
        return Ok(Roots::Explicit);
    }
    let mut kept = Vec::new();
    if args.unused {
        kept.extend(keepers::environments(cx, scope, &args.without, Kind::Refused)?);
    }
    for name in &args.except {
        kept.push(environment::find(eyes, &scope.config, name)?);
    }
    let mut hashes = BTreeSet::new();
    for info in &kept {
        let locked = contents(info).map_err(|trouble| {
            let who = format!("environment {}", info.name);
            keepers::unknown(Kind::Refused, &who, &info.path).hint(trouble.message())
        })?;
        hashes.extend(own(&locked));
    }
    Ok(Roots::Only(hashes))
}

/// The roots and what they need, through specs that are not installed as well.
fn needed(stores: &Stores<'_>, roots: &Roots, with_build: bool) -> Result<BTreeSet<String>> {
    let mut children: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut queue: Vec<String> = Vec::new();
    for entry in stores.entries() {
        let hash = entry.record.hash;
        let is_root = match roots {
            Roots::Explicit => entry.store == 0 && entry.record.explicit,
            Roots::Only(hashes) => hashes.contains(hash),
            Roots::AllBut(hashes) => entry.store == 0 && !hashes.contains(hash),
        };
        if is_root {
            queue.push(hash.to_owned());
        }
        let edges = &entry.node()?.dependencies;
        let follows = |d: &&crate::spack::store::node::Dependency<'_>| {
            d.has_type("link") || d.has_type("run") || with_build && d.has_type("build")
        };
        children.insert(hash, edges.iter().filter(follows).map(|d| d.hash.to_string()).collect());
    }
    let mut needed = BTreeSet::new();
    while let Some(hash) = queue.pop() {
        if let Some(below) = children.get(hash.as_str()) {
            queue.extend(below.iter().filter(|h| !needed.contains(*h)).cloned());
        }
        needed.insert(hash);
    }
    Ok(needed)
}

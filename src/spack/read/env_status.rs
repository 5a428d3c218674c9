//! Questions about environments, answered from their files and the database.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::session::{Scope, within};
use crate::spack::environment::manifest::Manifest;
use crate::spack::environment::{self, EnvironmentInfo, EnvironmentKind};
use crate::spack::lock::contents::RootRow;
use crate::spack::lock::lockfile::{Locked, Lockfile, LockfileText};
use crate::spack::read::roots::compare;
use crate::spack::store::row::SpecRow;
use crate::spack::store::row::external_is_gone;
use crate::spack::store::stores::Stores;
use crate::world::Eyes;

/// Lists the environments that Spack lists.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ListArgs {}

pub async fn list(cx: Cx, _: ListArgs) -> Result<Vec<EnvironmentInfo>> {
    within(&cx, None, |cx, scope| environment::list(&*cx.world.eyes, &scope.config)).await
}

/// Tells what an environment asks for and what its lock holds.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ShowArgs {
    /// Name of the environment, or its folder.
    pub name: String,
}

/// An environment.
#[derive(Debug, Serialize, JsonSchema)]
pub struct EnvironmentRow {
    /// Name, or folder of an independent one.
    pub name: String,
    /// Its folder.
    pub path: String,
    /// Managed, tracked or independent.
    pub kind: EnvironmentKind,
    /// The manifest.
    pub manifest: Manifest,
    /// The lock, if it has been concretized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<LockRow>,
}

/// A lock in short.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LockRow {
    /// Version of the file format.
    pub version: u64,
    /// The Spack that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spack: Option<String>,
    /// Its roots.
    pub roots: Vec<RootRow>,
    /// Number of concrete specs, those of included environments too.
    pub specs: usize,
}

pub async fn show(cx: Cx, args: ShowArgs) -> Result<EnvironmentRow> {
    within(&cx, Some(args.name), |cx, scope| {
        let environment = scope.inside()?;
        let manifest = Manifest::read(&*cx.world.eyes, &scope.config)?;
        let text = LockfileText::of(cx, environment)?;
        let lock = text.as_ref().map(|t| t.parse().map(|l| lock_row(&l))).transpose()?;
        Ok(EnvironmentRow {
            name: environment.name.clone(),
            path: environment.path.display().to_string(),
            kind: environment.kind,
            manifest,
            lock,
        })
    })
    .await
}

fn lock_row(lock: &Lockfile<'_>) -> LockRow {
    LockRow {
        version: lock.version,
        spack: lock.spack.as_ref().map(ToString::to_string),
        roots: lock
            .roots()
            .iter()
            .map(|r| RootRow { spec: r.spec.to_string(), hash: r.hash.to_string() })
            .collect(),
        specs: lock.all_specs().len(),
    }
}

/// Lists the concrete specs of an environment's lock, with what the store knows of each.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SpecsArgs {
    /// Name of the environment, or its folder.
    pub name: String,
    /// Only the roots.
    #[serde(default)]
    pub roots: bool,
}

pub async fn specs(cx: Cx, args: SpecsArgs) -> Result<Vec<SpecRow>> {
    within(&cx, Some(args.name.clone()), move |cx, scope| {
        let environment = scope.inside()?;
        let text = needs_lock(LockfileText::of(cx, environment)?, environment)?;
        let lock = text.parse()?;
        let by_hash = lock.by_hash();
        scope.with_stores(cx, |stores, _| {
            let mut rows = Vec::new();
            for locked in lock.all_specs() {
                if args.roots && !lock.all_roots().iter().any(|r| r.hash == locked.hash) {
                    continue;
                }
                rows.push(if let Some(entry) = stores.get(&locked.hash) {
                    SpecRow::of_entry(stores, entry)?
                } else {
                    let node = lock.node(locked)?;
                    let version = |hash: &str| Some(lock.node(by_hash.get(hash)?).ok()?.version.to_string());
                    SpecRow::of_node(node, &locked.hash, crate::spack::store::row::languages(node, &version))
                });
            }
            rows.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
            Ok(rows)
        })
    })
    .await
}

pub fn needs_lock(text: Option<LockfileText>, environment: &EnvironmentInfo) -> Result<LockfileText> {
    text.ok_or_else(|| {
        Trouble::new(
            Kind::NotFound,
            format!("environment '{}' has no lock: it is not concretized", environment.name),
        )
        .hint(format!("env.concretize(\"{}\")", environment.name))
    })
}

/// Tells root by root whether an environment is concretized and installed.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StatusArgs {
    /// Name of the environment, or its folder.
    pub name: String,
}

/// How far a root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RootState {
    /// It and all that it needs at run time is there.
    Installed,
    /// Concretized, but something is missing.
    Missing,
    /// The manifest asks for it, the lock does not have it: concretize.
    NotConcretized,
    /// The lock has it, the manifest no longer asks for it: concretize.
    Stale,
    /// Only Spack can tell whether the manifest and the lock mean the same by it.
    CouldNotTell,
}

/// A root's state.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RootStatus {
    /// As the manifest words it, or the lock where the manifest has it no longer.
    pub spec: String,
    /// How far it is.
    pub state: RootState,
    /// What it was concretized to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Name and version of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concrete: Option<String>,
    /// What it needs and is not installed, as `name@version/hash`.
    pub missing: Vec<String>,
}

/// An environment's state.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Status {
    /// The environment.
    pub name: String,
    /// Every root is installed and the lock is what the manifest asks for.
    pub ok: bool,
    /// Whether the lock is another than the manifest asks for; nothing where that could not be told.
    pub stale: Option<bool>,
    /// Every root.
    pub roots: Vec<RootStatus>,
    /// Concrete specs in the lock.
    pub locked: usize,
    /// Of these, installed.
    pub installed: usize,
    /// What of the manifest or the lock only Spack understands; the roots may be incomplete where this is not empty.
    pub not_understood: Vec<String>,
}

pub async fn status(cx: Cx, args: StatusArgs) -> Result<Status> {
    within(&cx, Some(args.name), status_of).await
}

/// The state of one environment, read from its files and the database.
pub fn status_of(cx: &Cx, scope: &Scope) -> Result<Status> {
    let environment = scope.inside()?;
    let manifest = Manifest::read(&*cx.world.eyes, &scope.config)?;
    let text = LockfileText::of(cx, environment)?;
    let lock = text.as_ref().map(LockfileText::parse).transpose()?;
    let asked: Vec<String> = manifest.specs.iter().map(|spec| spec.text.clone()).collect();
    let known: Vec<(String, String)> =
        lock.iter().flat_map(Lockfile::roots).map(|r| (r.spec.to_string(), r.hash.to_string())).collect();
    let compared = compare(scope, &asked, &known, manifest.not_understood.is_empty());
    scope.with_stores(cx, |stores, _| {
        let locked = lock.as_ref().map(Locks::new);
        let mut roots = Vec::new();
        for (spec, state, hash) in compared.roots {
            roots.push(match (hash, &locked) {
                (Some(hash), Some(lock)) => {
                    let found = concretized(&*cx.world.eyes, spec, hash, lock, stores)?;
                    RootStatus { state: state.unwrap_or(found.state), ..found }
                }
                _ => RootStatus {
                    spec,
                    state: state.unwrap_or(RootState::NotConcretized),
                    hash: None,
                    concrete: None,
                    missing: Vec::new(),
                },
            });
        }
        roots.extend(included(&*cx.world.eyes, &manifest, locked.as_ref(), stores)?);
        let hashes: Vec<String> =
            lock.iter().flat_map(Lockfile::all_specs).map(|s| s.hash.to_string()).collect();
        let is_installed = |hash: &String| stores.get(hash).is_some_and(|e| e.record.installed);
        let not_understood = [manifest.not_understood.clone(), compared.not_understood].concat();
        let stale = staleness(&roots, &not_understood);
        Ok(Status {
            name: environment.name.clone(),
            ok: stale == Some(false) && roots.iter().all(|r| r.state == RootState::Installed),
            stale,
            roots,
            locked: hashes.len(),
            installed: hashes.iter().filter(|h| is_installed(h)).count(),
            not_understood,
        })
    })
}

/// Known to be stale, known to be fresh, or neither.
fn staleness(roots: &[RootStatus], not_understood: &[String]) -> Option<bool> {
    let any = |state: RootState| roots.iter().any(|root| root.state == state);
    if any(RootState::NotConcretized) || any(RootState::Stale) {
        return Some(true);
    }
    (not_understood.is_empty() && !any(RootState::CouldNotTell)).then_some(false)
}

/// The roots of the environments that it includes, as they are in its own lock. Spack copies them when it concretizes.
fn included(
    eyes: &dyn Eyes,
    manifest: &Manifest,
    lock: Option<&Locks<'_, '_>>,
    stores: &Stores<'_>,
) -> Result<Vec<RootStatus>> {
    let groups = lock.map(|lock| lock.lock.group.included.as_slice()).unwrap_or_default();
    let mut roots = Vec::new();
    for folder in &manifest.include_concrete {
        if !groups.iter().any(|(path, _)| std::path::Path::new(&**path) == folder) {
            roots.push(RootStatus {
                spec: folder.display().to_string(),
                state: RootState::NotConcretized,
                hash: None,
                concrete: None,
                missing: Vec::new(),
            });
        }
    }
    let Some(lock) = lock else { return Ok(roots) };
    for (path, group) in groups {
        let asked = manifest.include_concrete.iter().any(|folder| std::path::Path::new(&**path) == folder);
        for root in group.all_roots() {
            if roots.iter().any(|known: &RootStatus| known.hash.as_deref() == Some(&*root.hash)) {
                continue;
            }
            let mut status = concretized(eyes, root.spec.to_string(), root.hash.to_string(), lock, stores)?;
            if !asked {
                status.state = RootState::Stale;
            }
            roots.push(status);
        }
    }
    Ok(roots)
}

/// A lock and its specs by hash.
struct Locks<'s, 'a> {
    lock: &'s Lockfile<'a>,
    by_hash: HashMap<&'s str, &'s Locked<'a>>,
}

impl<'s, 'a> Locks<'s, 'a> {
    fn new(lock: &'s Lockfile<'a>) -> Self {
        Locks { lock, by_hash: lock.by_hash() }
    }
}

/// A root that the lock has: is it installed, with all that it links and runs?
fn concretized(
    eyes: &dyn Eyes,
    spec: String,
    hash: String,
    lock: &Locks<'_, '_>,
    stores: &Stores<'_>,
) -> Result<RootStatus> {
    let mut missing = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut queue = vec![hash.clone()];
    let mut concrete = None;
    while let Some(next) = queue.pop() {
        if !seen.insert(next.clone()) {
            continue;
        }
        let Some(locked) = lock.by_hash.get(next.as_str()) else { continue };
        let node = lock.lock.node(locked)?;
        let words = format!("{}@{}", node.name, node.version);
        if next == hash {
            concrete = Some(words.clone());
        }
        let short = crate::spack::store::query::short(&next);
        match &node.external {
            Some(external) if external_is_gone(eyes, external.path.as_deref()) => {
                let prefix = external.path.as_deref().unwrap_or_default();
                missing.push(format!("{words}/{short} (external, gone from {prefix})"));
            }
            None if !stores.get(&next).is_some_and(|e| e.record.installed) => {
                missing.push(format!("{words}/{short}"));
            }
            _ => {}
        }
        let needed = node.dependencies.iter().filter(|d| d.has_type("link") || d.has_type("run"));
        queue.extend(needed.map(|d| d.hash.to_string()));
    }
    missing.sort();
    let state = if missing.is_empty() { RootState::Installed } else { RootState::Missing };
    Ok(RootStatus { spec, state, hash: Some(hash), concrete, missing })
}

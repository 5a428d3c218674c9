//! Whether a snapshot could be restored now, and from where: each hash is installed, or in a mirror, or only to be
//! built from source, or gone. From source means from the same recipe, since Spack builds a locked hash with today's
//! and says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::restore_context::{Ground, Grounds};
use super::verify;
use crate::base::Result;
use crate::mirror::holdings;
use crate::site::Cx;
use crate::snapshot::record::parts;
use crate::snapshot::record::source::Source;
use crate::snapshot::record::state::HashState;
use crate::snapshot::store::index::StoredSnapshot;
use crate::snapshot::store::reference;
use crate::spack::lock::contents::LockContents;
use crate::spack::store::binaries::{self, Signature};
use crate::spack::store::prefix_manifest::{self, Contents};
use crate::spack::store::query::short;
use crate::spack::store::row::SpecRow;
use crate::spack::store::row::external_is_gone;

/// Says whether a snapshot could be restored now, and from where.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct CheckArgs {
    /// `NAME@NUMBER`, `NAME@last`, `NAME@good`, `NAME`, or the beginning of its id.
    pub snapshot: String,
    /// Read every installed file; otherwise only those whose time is not that of the installation.
    #[serde(default)]
    pub deep: bool,
}

/// A hash that is not installed as it was.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HashCheck {
    pub name: String,
    pub version: String,
    pub hash: String,
    pub from: Source,
    /// The mirror that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<String>,
    /// Whether what the mirror has was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// What was found.
    pub why: String,
    /// It is on record as installed, and does not serve any more.
    pub damaged: bool,
    /// Needed only to build others: where nothing is built, nobody misses it.
    pub build_only: bool,
}

/// Whether a snapshot could be restored.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Restorable {
    pub snapshot: String,
    /// Everything that it needs is installed, in a mirror, or can be built from the same recipe.
    pub ok: bool,
    /// Where the worst of its hashes would come from.
    pub verdict: Source,
    /// How many hashes would come from where.
    pub counts: BTreeMap<String, usize>,
    /// Those that are not installed.
    pub missing: Vec<HashCheck>,
    /// What else is not as it was: repositories, Spack, externals.
    pub drift: Vec<String>,
    /// Mirrors that were not looked into, and why.
    pub not_looked: Vec<String>,
    /// What is wrong with the snapshot itself.
    pub problems: Vec<String>,
}

impl Restorable {
    fn begun(kept: &StoredSnapshot, problems: Vec<String>) -> Restorable {
        Restorable {
            snapshot: kept.snapshot.title(),
            ok: false,
            verdict: Source::Gone,
            counts: BTreeMap::new(),
            missing: Vec::new(),
            drift: Vec::new(),
            not_looked: Vec::new(),
            problems,
        }
    }
}

pub async fn check(cx: Cx, args: CheckArgs) -> Result<Restorable> {
    let kept = reference::find(&cx, &args.snapshot)?;
    of(&cx, &kept, args.deep).await
}

/// What was found without asking mirrors.
struct Local {
    /// Read where something is absent.
    lock: Option<LockContents>,
    states: Vec<HashState>,
    /// Hash → why it counts as not there.
    absent: BTreeMap<String, String>,
    damaged: BTreeSet<String>,
    recipes: BTreeMap<String, Option<String>>,
    drift: Vec<String>,
    same_commits: bool,
}

impl Local {
    /// What a mirror may have.
    fn wanted(&self) -> Vec<&SpecRow> {
        let absent = |s: &&HashState| !s.external && self.absent.contains_key(&s.hash);
        self.states.iter().filter(absent).filter_map(|s| self.row(&s.hash)).collect()
    }

    fn row(&self, hash: &str) -> Option<&SpecRow> {
        self.lock.as_ref()?.specs.get(hash)
    }
}

pub async fn of(cx: &Cx, kept: &StoredSnapshot, deep: bool) -> Result<Restorable> {
    let out = Restorable::begun(kept, verify::problems(cx, kept));
    if !out.problems.is_empty() {
        return Ok(out);
    }
    let contents = if deep { Contents::All } else { Contents::Touched };
    let record = kept.clone();
    let (scope, local) = cx
        .blocking(move |cx| {
            let mut ground = Ground::open(&cx, &record.snapshot.env.path)?;
            let local = local(&cx, &mut ground, &record, Some(contents))?;
            Ok((ground.scope, local))
        })
        .await?;
    let looked = holdings::look(cx, &scope, &local.wanted()).await?;
    Ok(concluded(out, &local, looked))
}

/// The same without asking anybody: of mirrors only those in folders are looked into. For many snapshots at once.
pub fn nearby(cx: &Cx, grounds: &mut Grounds, kept: &StoredSnapshot) -> Result<Restorable> {
    if let Some(trouble) = grounds.unreadable(cx, kept) {
        return Ok(Restorable::begun(kept, vec![trouble.message().to_owned()]));
    }
    let ground = grounds.of(cx, &kept.snapshot.env.path)?;
    let local = local(cx, ground, kept, None)?;
    let wanted = local.wanted();
    let looked = if wanted.is_empty() {
        binaries::MirrorBinaries::default()
    } else {
        holdings::nearby(cx, &ground.scope, &wanted)?
    };
    Ok(concluded(Restorable::begun(kept, Vec::new()), &local, looked))
}

fn concluded(mut out: Restorable, local: &Local, looked: binaries::MirrorBinaries) -> Restorable {
    out.not_looked = looked.not_looked;
    out.drift.clone_from(&local.drift);
    out.verdict = Source::Installed;
    let builds: BTreeSet<&str> = needed_to_build(local, &looked.found);
    for state in &local.states {
        let found = judged(state, local, &looked.found);
        let name = serde_json::to_value(found.from).ok().and_then(|v| v.as_str().map(str::to_owned));
        *out.counts.entry(name.unwrap_or_default()).or_default() += 1;
        if found.from == Source::Installed {
            continue;
        }
        // What only builds need counts where something is built.
        if !state.build_only || builds.contains(state.hash.as_str()) {
            out.verdict = out.verdict.max(found.from);
        }
        out.missing.push(found);
    }
    out.missing.sort_by(|a, b| (b.from, &a.name).cmp(&(a.from, &b.name)));
    out.ok = out.verdict < Source::Drifted;
    out
}

/// Without `contents` only prefixes are looked at, not the files in them.
fn local(cx: &Cx, ground: &mut Ground, kept: &StoredSnapshot, contents: Option<Contents>) -> Result<Local> {
    let states = parts::states(cx, kept)?;
    let mut recipes = BTreeMap::new();
    let mut absent = BTreeMap::new();
    let mut damaged = BTreeSet::new();
    let mut drift = drift(cx, ground, kept);
    for state in &states {
        if state.external {
            if external_is_gone(&*cx.world.eyes, state.prefix.as_deref()) {
                let prefix = state.prefix.as_deref().unwrap_or_default();
                drift.push(format!("the external {} is gone from {prefix}", state.name));
                absent.insert(state.hash.clone(), "the external is gone".to_owned());
            }
        } else if let Some(why) = damage(cx, ground, state, contents) {
            absent.insert(state.hash.clone(), why);
            if ground.store.get(&state.hash).is_some_and(|held| held.installed && held.local) {
                damaged.insert(state.hash.clone());
            }
            recipes.entry(state.name.clone()).or_insert_with(|| ground.recipe(cx, &state.name));
        }
    }
    let same_commits = kept.snapshot.repositories == ground.repositories;
    let lock = if absent.is_empty() { None } else { Some(verify::lock(cx, kept)?) };
    Ok(Local { lock, states, absent, damaged, recipes, drift, same_commits })
}

/// Why a hash is not there as it was.
fn damage(cx: &Cx, ground: &Ground, state: &HashState, contents: Option<Contents>) -> Option<String> {
    let record = ground.store.get(&state.hash);
    let Some(held) = record.filter(|held| held.installed) else {
        let other = record.and_then(|held| held.deprecated_for.as_deref());
        let words = other.map(|other| format!("it is deprecated, and /{} stands in for it", short(other)));
        return Some(words.unwrap_or_else(|| "it is not installed".to_owned()));
    };
    let prefix = Path::new(held.prefix.as_deref()?);
    match contents {
        None if ground.has(cx, prefix) => None,
        None => Some(format!("{} is gone", prefix.display())),
        Some(contents) => prefix_manifest::damage(&*cx.world.eyes, prefix, contents),
    }
}

/// What is otherwise than it was, apart from the store.
fn drift(cx: &Cx, ground: &Ground, kept: &StoredSnapshot) -> Vec<String> {
    let mut out = Vec::new();
    let then = &kept.snapshot.spack;
    let now = &ground.scope.spack.installation;
    let commit =
        |c: &Option<String>| c.as_deref().map_or("no commit", |c| c.get(..10).unwrap_or(c)).to_owned();
    if then.version != now.version_text || then.commit != now.commit {
        out.push(format!(
            "Spack was {} ({}) and is {} ({})",
            then.version,
            commit(&then.commit),
            now.version_text,
            commit(&now.commit)
        ));
    }
    for repository in &kept.snapshot.repositories {
        let name = repository.namespace.clone().unwrap_or_else(|| repository.path.display().to_string());
        if !ground.has(cx, &repository.path) {
            out.push(format!("the repository {name} is gone from {}", repository.path.display()));
            continue;
        }
        let now = ground.commit(cx, &repository.path);
        if now != repository.commit {
            out.push(format!(
                "the repository {name} was at {} and is at {}",
                commit(&repository.commit),
                commit(&now)
            ));
        }
    }
    out
}

fn judged(state: &HashState, local: &Local, found: &BTreeMap<String, binaries::MirrorBinary>) -> HashCheck {
    let check = |from, why: String, mirror| HashCheck {
        name: state.name.clone(),
        version: state.version.clone(),
        hash: state.hash.clone(),
        from,
        mirror,
        signature: None,
        why,
        damaged: local.damaged.contains(&state.hash),
        build_only: state.build_only,
    };
    let Some(why) = local.absent.get(&state.hash) else {
        return check(Source::Installed, String::new(), None);
    };
    if state.external {
        return check(Source::Gone, why.clone(), None);
    }
    if let Some(found) = found.get(&state.hash) {
        let there = check(Source::Mirror, why.clone(), Some(found.mirror.clone()));
        return HashCheck { signature: Some(found.signature), ..there };
    }
    match (&state.recipe, local.recipes.get(&state.name).and_then(Option::as_ref)) {
        (_, None) => check(Source::Gone, format!("{why}, and no repository has a recipe"), None),
        (Some(then), Some(now)) if then == now => check(Source::Source, why.clone(), None),
        // No recipe was there to compare with: the repositories as a whole have to be the same.
        (None, Some(_)) if local.same_commits => check(Source::Source, why.clone(), None),
        _ => check(Source::Drifted, format!("{why}, and its recipe has changed since"), None),
    }
}

/// What is needed to build those that no mirror has, all the way down.
fn needed_to_build<'a>(
    local: &'a Local,
    found: &BTreeMap<String, binaries::MirrorBinary>,
) -> BTreeSet<&'a str> {
    let builds = |hash: &str| local.absent.contains_key(hash) && !found.contains_key(hash);
    let mut queue: Vec<&str> =
        local.states.iter().filter(|s| !s.build_only && builds(&s.hash)).map(|s| s.hash.as_str()).collect();
    let mut seen = BTreeSet::new();
    while let Some(hash) = queue.pop() {
        let Some(row) = local.row(hash).filter(|_| seen.insert(hash)) else { continue };
        for below in row.dependencies.iter().filter(|_| builds(hash)) {
            queue.push(&below.hash);
        }
    }
    seen
}

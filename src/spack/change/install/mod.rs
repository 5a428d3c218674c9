//! Installs and reads back. Outside of environments the request is concretized first and Spack is given exactly
//! that, so every hash is known beforehand; inside, the lock file says what must be there afterwards. What Spack
//! printed proves nothing.

pub mod args;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::change::around::lock::{touched, warn_of_upgrade};
use crate::spack::change::around::requests;
use crate::spack::change::around::view::mend_interrupted;
use crate::spack::drive::events::Progress;
use crate::spack::drive::failure::{self, PackageFailure};
use crate::spack::drive::installed::{self, Named, Store, closure};
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::invoke::{self, Answer};
use crate::spack::drive::locks;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::lock::contents::LockContents;
use crate::spack::read::concretize::{self, Solved, Specs, solve};
use crate::spack::read::find::query;
use crate::spack::read::unregistered_prefixes::partial_prefixes;
use crate::spack::store::query::short;
use crate::spack::store::row::SpecRow;
use crate::world::Event;
use crate::world::scope::event::Level;
use crate::world::scope::postcondition::Postcondition;
use crate::world::scope::replay;

use args::{InstallArgs, InstallOptions, InstallResult, InstalledRow};

/// What must be there afterwards.
struct Wanted {
    roots: BTreeSet<String>,
    specs: BTreeMap<String, SpecRow>,
    /// Asked for, but nothing in the lock file is it.
    unknown: Vec<String>,
}

pub async fn install(cx: Cx, args: InstallArgs) -> Result<InstallResult> {
    let scope = scope(&cx, args.env).await?;
    args.options.check(&scope)?;
    let specs = args.spec.as_ref().map(Specs::words).transpose()?.unwrap_or_default();
    if scope.environment.is_some() {
        return inside(&cx, &scope, &specs, &args.options).await;
    }
    if specs.is_empty() {
        return Err(Trouble::usage("spack.install needs a spec, or an environment in 'env'"));
    }
    outside(&cx, &scope, &specs, &args.options).await
}

async fn outside(cx: &Cx, scope: &Scope, specs: &[String], args: &InstallOptions) -> Result<InstallResult> {
    let solved = solve(cx, scope, specs, concretize::reuse_option(args.fresh)).await?;
    let now = installed::now(cx, scope).await?;
    let before = before_begun(&now);
    let wanted = Wanted {
        roots: solved.roots.iter().cloned().collect(),
        specs: solved.specs.clone(),
        unknown: Vec::new(),
    };
    let there = |hash: &String| now.get(hash).is_some_and(|h| h.explicit && h.exists(&*cx.world.eyes));
    if !args.overwrite && wanted.roots.iter().all(there) {
        return Ok(nothing_to_do(&wanted, &before, &now));
    }
    can_be_installed(cx, &wanted, &now)?;
    let _store = locks::store(cx, scope).await?;
    let folder = write_documents(cx, &solved).await?;
    let files = (0..solved.documents.len()).map(|i| folder.join(format!("{i}.json")).display().to_string());
    let named = solved.roots.iter().filter_map(|hash| solved.specs.get(hash));
    let shown = named.map(|row| format!("{}@{}/{}", row.name, row.version, short(&row.hash)));
    let invocation =
        Invocation { shown: Some(words(args, shown)), ..Invocation::changes(words(args, files)) };
    let answer = run(cx, scope, args, invocation).await;
    let removed = requests::remove(cx, folder).await;
    let answer = answer?;
    removed?;
    judge(cx, scope, &answer, &before, wanted).await
}

async fn inside(cx: &Cx, scope: &Scope, specs: &[String], args: &InstallOptions) -> Result<InstallResult> {
    let _lock = locks::changing(cx, scope).await?;
    warn_of_upgrade(cx, scope)?;
    let now = installed::now(cx, scope).await?;
    let before = before_begun(&now);
    let (again, asked) = (scope.clone(), specs.to_vec());
    can_be_installed(cx, &cx.blocking(move |cx| from_lock(&cx, &again, &asked)).await?, &now)?;
    let invocation = Invocation {
        specs: specs.to_vec(),
        touches: match (args.add, args.only_concrete) {
            (true, _) => touched(scope)?,
            (false, false) => vec![scope.inside()?.lock_file()],
            // What is concretized already is installed as it is.
            (false, true) => Vec::new(),
        },
        ..Invocation::changes(words(args, specs.iter().cloned()))
    };
    let _store = locks::store(cx, scope).await?;
    mend_interrupted(cx, scope).await?;
    let answer = run(cx, scope, args, invocation).await?;
    replay::prove_file(&*cx.world.eyes, &scope.inside()?.lock_file());
    let (again, specs) = (scope.clone(), specs.to_vec());
    let wanted = cx.blocking(move |cx| from_lock(&cx, &again, &specs)).await?;
    judge(cx, scope, &answer, &before, wanted).await
}

/// Where a spec was deprecated, Spack left a link to what stands in for it, and does not install it again beside that.
fn can_be_installed(cx: &Cx, wanted: &Wanted, now: &Store) -> Result<()> {
    for hash in closure(&wanted.specs, wanted.roots.iter().cloned()) {
        let Some(held) = now.get(&hash).filter(|held| held.local && !held.installed) else { continue };
        let prefix = held.prefix.as_deref().filter(|prefix| cx.world.eyes.lstat(Path::new(prefix)).is_ok());
        let (Some(other), Some(prefix)) = (held.deprecated_for.as_deref(), prefix) else { continue };
        let (words, short) = (format!("{}@{}", held.name, held.version), short(&hash));
        let stands_in =
            now.get(other).map_or_else(|| format!("/{other}"), |o| format!("{}@{}", o.name, o.version));
        return Err(Trouble::new(
            Kind::Refused,
            format!("{words}/{short} is deprecated: {stands_in} stands in for it"),
        )
        .fact("hash", hash.as_str())
        .fact("prefix", prefix)
        .hint(format!("to have it again, take the link away first: spack uninstall --force -y /{short}"))
        .hint("or ask for what stands in for it, and concretize"));
    }
    Ok(())
}

/// What the environment's lock file asks for now.
fn from_lock(cx: &Cx, scope: &Scope, specs: &[String]) -> Result<Wanted> {
    let locked = LockContents::of_environment(&*cx.world.eyes, scope.inside()?)?.unwrap_or_default();
    let all = locked.root_hashes();
    if specs.is_empty() {
        return Ok(Wanted { roots: all, specs: locked.specs, unknown: Vec::new() });
    }
    let mut wanted = Wanted { roots: BTreeSet::new(), specs: locked.specs, unknown: Vec::new() };
    for text in specs {
        // A root that was asked for in these words counts also while it is not installed.
        let mut hashes: BTreeSet<String> =
            locked.roots.iter().filter(|r| r.spec == *text).map(|r| r.hash.clone()).collect();
        if hashes.is_empty() {
            let query = query(cx, scope, text)?;
            hashes = scope.with_stores(cx, |stores, recipes| {
                Ok(query.run(stores, Some(recipes))?.iter().map(|e| e.record.hash.to_owned()).collect())
            })?;
        }
        if hashes.iter().any(|hash| all.contains(hash)) {
            hashes.retain(|hash| all.contains(hash));
        }
        if hashes.is_empty() {
            wanted.unknown.push(text.clone());
        }
        wanted.roots.extend(hashes);
    }
    Ok(wanted)
}

fn words(args: &InstallOptions, specs: impl Iterator<Item = String>) -> Vec<String> {
    std::iter::once("install".to_owned()).chain(args.options()).chain(specs).collect()
}

async fn run(cx: &Cx, scope: &Scope, args: &InstallOptions, invocation: Invocation) -> Result<Answer> {
    let invocation = Invocation {
        installs: true,
        variables: args.variables.clone(),
        timeout: args.timeout.map(|s| s.0),
        silence: args.silence.map(|s| s.0),
        ..invocation
    };
    match invoke::run(cx, scope, invocation).await {
        Err(trouble) if trouble.is(Kind::Cancelled) => {
            // The error of a cancel carries nothing; who watches is told.
            for prefix in partial_prefixes(cx, scope).unwrap_or_default() {
                let text = format!("the cancelled installation left {prefix}, which no record knows");
                cx.world.tell(Event::Message { level: Level::Warn, text, fields: serde_json::Map::new() });
            }
            Err(trouble)
        }
        other => other,
    }
}

/// Spack takes a concrete spec from a file whose path has a slash and ends in `.json`.
async fn write_documents(cx: &Cx, solved: &Solved) -> Result<PathBuf> {
    let folder = requests::folder(cx);
    let documents = solved.documents.iter().enumerate();
    let files = documents.map(|(at, document)| (folder.join(format!("{at}.json")), document.clone()));
    requests::write(cx, files.collect()).await?;
    Ok(folder)
}

/// The store as it was before a call that an interruption cut short had begun: what it installed is new to it.
fn before_begun(now: &Store) -> Store {
    let Some(since) = replay::begun_since() else { return now.clone() };
    now.iter()
        .filter(|(_, held)| held.installed_at.is_none_or(|at| at < since))
        .map(|(hash, held)| (hash.clone(), held.clone()))
        .collect()
}

fn nothing_to_do(wanted: &Wanted, before: &Store, now: &Store) -> InstallResult {
    let is_new = |hash: &String| now.contains_key(hash) && !before.contains_key(hash);
    let new = wanted.specs.values().filter(|row| is_new(&row.hash) && row.external.is_none()).collect();
    let new = in_order(new, &wanted.specs);
    let old = wanted.roots.iter().filter(|hash| !is_new(hash));
    InstallResult {
        ok: true,
        installed: new.into_iter().map(|row| installed_row(row, now, &Progress::default())).collect(),
        already: old.filter_map(|hash| named(wanted, now, hash)).collect(),
        failed: Vec::new(),
        log: None,
        seconds: 0.0,
    }
}

/// What is needed before what needs it, else by name: the same in a plan, where nothing has a time, and in the run.
fn in_order<'a>(mut rows: Vec<&'a SpecRow>, specs: &BTreeMap<String, SpecRow>) -> Vec<&'a SpecRow> {
    fn height<'s>(
        hash: &'s str,
        specs: &'s BTreeMap<String, SpecRow>,
        known: &mut BTreeMap<&'s str, usize>,
    ) -> usize {
        if let Some(height) = known.get(hash) {
            return *height;
        }
        // A circle, which no lock has, comes to an end.
        known.insert(hash, 0);
        let below = specs.get(hash).into_iter().flat_map(|row| &row.dependencies);
        let height = below.map(|edge| 1 + height(&edge.hash, specs, known)).max().unwrap_or_default();
        known.insert(hash, height);
        height
    }
    let mut known = BTreeMap::new();
    let heights: BTreeMap<&String, usize> =
        specs.keys().map(|hash| (hash, height(hash, specs, &mut known))).collect();
    rows.sort_by_key(|row| (heights.get(&row.hash).copied().unwrap_or_default(), &row.name, &row.hash));
    rows
}

fn named(wanted: &Wanted, store: &Store, hash: &str) -> Option<Named> {
    let row = wanted.specs.get(hash)?;
    Some(Named { prefix: store.get(hash).and_then(|h| h.prefix.clone()), ..Named::of(row) })
}

/// Looks at the database: only what is on record with its prefix is installed.
async fn judge(
    cx: &Cx,
    scope: &Scope,
    answer: &Answer,
    before: &Store,
    wanted: Wanted,
) -> Result<InstallResult> {
    let after = installed::now(cx, scope).await?;
    let eyes = &*cx.world.eyes;
    let there = |hash: &String| after.get(hash).is_some_and(|h| h.exists(eyes));
    let is_new = |hash: &String| match (before.get(hash), after.get(hash)) {
        (Some(old), Some(new)) => !old.installed || old.installed_at != new.installed_at,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let missing: Vec<Named> = closure(&wanted.specs, wanted.roots.iter().cloned())
        .iter()
        .filter(|hash| !there(hash))
        .filter_map(|hash| named(&wanted, &after, hash))
        .collect();
    let new: Vec<&SpecRow> = wanted
        .specs
        .values()
        .filter(|row| there(&row.hash) && is_new(&row.hash) && row.external.is_none())
        .collect();
    let new = in_order(new, &wanted.specs);
    let installed: Vec<InstalledRow> =
        new.into_iter().map(|row| installed_row(row, &after, &answer.progress)).collect();
    let already = wanted.roots.iter().filter(|h| there(h) && !is_new(h));
    let mut result = InstallResult {
        ok: answer.ran.ok() && missing.is_empty() && wanted.unknown.is_empty(),
        already: already.filter_map(|hash| named(&wanted, &after, hash)).collect(),
        installed,
        failed: Vec::new(),
        log: answer.log.as_ref().map(|log| log.display().to_string()),
        seconds: answer.ran.seconds,
    };
    for prefix in wanted.roots.iter().filter_map(|h| after.get(h)).filter_map(|h| h.prefix.as_deref()) {
        replay::prove(Postcondition::There { path: PathBuf::from(prefix) });
    }
    if result.ok {
        return Ok(result);
    }
    let (trouble, failed) = reason(cx, answer, &missing, &wanted.unknown);
    result.failed = failed;
    let again = scope.clone();
    let partial = cx.blocking(move |cx| partial_prefixes(&cx, &again)).await.unwrap_or_default();
    Err(with_facts(trouble, &result, &missing, partial))
}

fn installed_row(row: &SpecRow, after: &Store, progress: &Progress) -> InstalledRow {
    let seen = progress.of(&row.hash);
    InstalledRow {
        hash: row.hash.clone(),
        name: row.name.clone(),
        version: row.version.clone(),
        prefix: after.get(&row.hash).and_then(|h| h.prefix.clone()),
        from_cache: seen.is_some_and(|s| s.from_cache),
        seconds: seen.filter(|s| s.finished).map(|s| s.seconds),
    }
}

/// Why it is not done: a limit, what Spack printed, or what the database lacks.
fn reason(cx: &Cx, answer: &Answer, missing: &[Named], unknown: &[String]) -> (Trouble, Vec<PackageFailure>) {
    if let Some(trouble) = answer.limit() {
        return (trouble, Vec::new());
    }
    if !answer.ran.ok() {
        let failure = failure::classify(&*cx.world.eyes, answer);
        return (failure.trouble(answer), failure.packages);
    }
    let names: Vec<String> =
        missing.iter().map(|m| format!("{}/{}", m.name, m.hash)).chain(unknown.iter().cloned()).collect();
    let message =
        format!("{} ended well, but not everything is installed: {}", answer.title, names.join(", "));
    (answer.about(Trouble::new(Kind::NotDone, message)), Vec::new())
}

fn with_facts(trouble: Trouble, result: &InstallResult, missing: &[Named], partial: Vec<String>) -> Trouble {
    let json = |value: serde_json::Result<serde_json::Value>| value.unwrap_or(serde_json::Value::Null);
    let mut trouble = trouble
        .fact("installed", json(serde_json::to_value(&result.installed)))
        .fact("already", json(serde_json::to_value(&result.already)))
        .fact("failed", json(serde_json::to_value(&result.failed)))
        .fact("missing", json(serde_json::to_value(missing)));
    if !partial.is_empty() {
        trouble = trouble
            .hint(format!(
                "no record knows {}: remove it before the next attempt if Spack refuses it",
                partial.join(", ")
            ))
            .fact("partial_prefixes", partial);
    }
    trouble
}

//! Uninstalls, refusing as Spack would before anything is started, and reads back.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::change::around::requests;
use crate::spack::drive::installed::{self, Named};
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::drive::{failure, invoke, locks};
use crate::spack::read::find::{UserRow, users_of};
use crate::spack::read::select::{chosen, dependents};
use crate::spack::store::database::State;
use crate::spack::store::query::short;
use crate::world::fs::real::is_same_path;
use crate::world::scope::postcondition::Postcondition;
use crate::world::scope::replay;

/// Uninstalls a spec. What others need is refused and nothing is changed, unless options say otherwise.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct UninstallArgs {
    /// The one installed spec, in Spack's syntax.
    pub query: String,
    /// Only among what this environment holds: a name or folder.
    #[serde(default)]
    pub env: Option<String>,
    /// Everything that matches the query, not only one.
    #[serde(default)]
    pub all: bool,
    /// Also everything that needs it.
    #[serde(default)]
    pub dependents: bool,
    /// Although others need it.
    #[serde(default)]
    pub force: bool,
    /// Only tell what would go.
    #[serde(default)]
    pub dry_run: bool,
}

/// What was removed, or would be.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Removal {
    /// What went, or with `dry_run` would go.
    pub specs: Vec<Named>,
    pub dry_run: bool,
    /// What Spack printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// What stands in the way.
struct Needed {
    dependents: Vec<Named>,
    environments: Vec<UserRow>,
}

pub async fn uninstall(cx: Cx, args: UninstallArgs) -> Result<Removal> {
    let scope = scope(&cx, args.env.clone()).await?;
    let _lock = locks::changing(&cx, &scope).await?;
    // What goes is found while nobody else can install what would need it.
    let _store = match &scope.environment {
        Some(_) if !args.dry_run => locks::store(&cx, &scope).await?,
        _ => None,
    };
    let (again, asked) = (scope.clone(), args.clone());
    let (specs, needed) = cx.blocking(move |cx| plan(&cx, &again, &asked)).await?;
    let is_free = needed.dependents.is_empty() && needed.environments.is_empty();
    if !args.force && !is_free {
        return Err(refusal(&args.query, &needed));
    }
    if args.dry_run {
        return Ok(Removal { specs, dry_run: true, log: None });
    }
    let mut words = vec!["uninstall".to_owned(), "-y".to_owned()];
    if args.force {
        words.push("--force".to_owned());
    }
    words.extend(specs.iter().map(|s| format!("/{}", s.hash)));
    let removal = Removal { specs, dry_run: false, log: None };
    replay::plan_result(&removal, gone(&removal.specs));
    let log = remove(&cx, &scope, Invocation::changes(words), &removal.specs).await?;
    Ok(Removal { log, ..removal })
}

fn plan(cx: &Cx, scope: &Scope, args: &UninstallArgs) -> Result<(Vec<Named>, Needed)> {
    let found = chosen(cx, scope, &args.query, args.all, &[State::Installed, State::Deprecated])?;
    let mut hashes: BTreeSet<String> = found.iter().map(|row| row.hash.clone()).collect();
    let above = scope.with_stores(cx, |stores, _| dependents(stores, &hashes))?;
    let mut specs: Vec<Named> = found.iter().map(Named::of).collect();
    let mut above: Vec<Named> = above.iter().map(Named::of).collect();
    if args.dependents {
        hashes.extend(above.iter().map(|d| d.hash.clone()));
        specs.append(&mut above);
    }
    let own = scope.environment.as_ref().map(|e| e.path.display().to_string());
    let mut environments: Vec<UserRow> = Vec::new();
    for hash in &hashes {
        // Who forces it wants it gone whoever needs it.
        let users = match users_of(cx, scope, hash, Kind::Refused) {
            Err(trouble) if args.force && trouble.is(Kind::Refused) => {
                cx.world.warn(trouble.message());
                Vec::new()
            }
            other => other?,
        };
        environments.extend(users.into_iter().filter(|user| own.as_deref() != Some(user.path.as_str())));
    }
    Ok((specs, Needed { dependents: above, environments }))
}

fn refusal(query: &str, needed: &Needed) -> Trouble {
    let mut reasons = Vec::new();
    if !needed.dependents.is_empty() {
        let names: Vec<String> =
            needed.dependents.iter().map(|d| format!("{}/{}", d.name, short(&d.hash))).collect();
        reasons.push(format!("installed specs need it: {}", names.join(", ")));
    }
    let environments: BTreeSet<&str> = needed.environments.iter().map(|u| u.env.as_str()).collect();
    if !environments.is_empty() {
        let names: Vec<&str> = environments.iter().copied().collect();
        reasons.push(format!("environments hold it: {}", names.join(", ")));
    }
    let message = format!("'{query}' was not uninstalled: {}", reasons.join("; "));
    let mut trouble = Trouble::new(Kind::Refused, message)
        .fact("dependents", serde_json::to_value(&needed.dependents).unwrap_or_default())
        .fact("environments", environments.into_iter().map(str::to_owned).collect::<Vec<_>>());
    if !needed.dependents.is_empty() {
        trouble = trouble.hint("{ dependents = true } removes what needs it as well");
    }
    trouble.hint("{ force = true } removes it all the same")
}

/// What is so when these specs are gone.
fn gone(specs: &[Named]) -> Vec<Postcondition> {
    specs
        .iter()
        .filter_map(|s| s.prefix.clone())
        .map(|path| Postcondition::Absent { path: path.into() })
        .collect()
}

/// The words with names beside the hashes.
fn shown(words: &[String], specs: &[Named]) -> Vec<String> {
    let named = |word: &String| {
        let spec = word.strip_prefix('/').and_then(|hash| specs.iter().find(|s| s.hash == hash));
        spec.map_or_else(|| word.clone(), |s| format!("{}/{}", s.name, short(&s.hash)))
    };
    words.iter().map(named).collect()
}

/// Runs a command that removes `specs` and reads back that they are gone.
pub async fn remove(cx: &Cx, scope: &Scope, command: Invocation, specs: &[Named]) -> Result<Option<String>> {
    let invocation = Invocation {
        removes: specs.iter().map(|s| s.hash.clone()).collect(),
        touches: specs.iter().filter_map(|s| s.prefix.clone()).map(Into::into).collect(),
        shown: Some(shown(&command.words, specs)),
        ..command
    };
    let answer = invoke::run(cx, scope, invocation).await?;
    let log = answer.log.as_ref().map(|log| log.display().to_string());
    let after = installed::now(cx, scope).await?;
    let stays = |s: &&Named| {
        let prefix = s.prefix.as_deref().map(std::path::Path::new);
        let on_disk = prefix.is_some_and(|p| cx.world.eyes.exists(p).unwrap_or(true) && !is_shared(cx, p));
        after.get(&s.hash).is_some_and(|h| h.installed) || on_disk
    };
    let left: Vec<&Named> = specs.iter().filter(stays).collect();
    gone(specs).into_iter().filter(|proof| proof.holds(&*cx.world.eyes)).for_each(replay::prove);
    failure::check(&*cx.world.eyes, &answer)
        .map_err(|t| t.fact("not_removed", serde_json::to_value(&left).unwrap_or_default()))?;
    if left.is_empty() {
        return Ok(log);
    }
    let names: Vec<String> = left.iter().map(|s| format!("{}/{}", s.name, s.hash)).collect();
    Err(answer
        .about(Trouble::new(
            Kind::NotDone,
            format!("{} ended well, but is still there: {}", answer.title, names.join(", ")),
        ))
        .fact("not_removed", serde_json::to_value(&left).unwrap_or_default()))
}

/// Removes from the store of the scope by hash, outside of its environment: within it Spack would take the specs out of
/// the environment as well. Of a store that is not the site's Spack has to be told.
pub async fn remove_from_store(
    cx: &Cx,
    inside: &Scope,
    verb: &[&str],
    specs: &[Named],
) -> Result<Option<String>> {
    let hashes = specs.iter().map(|s| format!("/{}", s.hash));
    let words = verb.iter().map(|&word| word.to_owned()).chain(hashes);
    let outside = scope(cx, None).await?;
    let (tree, sites) = (inside.install_tree()?, outside.install_tree()?);
    if is_same_path(&*cx.world.eyes, &tree.root, &sites.root) {
        return remove(cx, &outside, Invocation::changes(words), specs).await;
    }
    let folder = requests::folder(cx);
    let tree = json!({ "root": tree.unpadded_root, "padded_length": tree.padded_length.unwrap_or(0) });
    let settings = json!({ "config": { "install_tree": tree } }).to_string();
    requests::write(cx, vec![(folder.join("config.yaml"), settings)]).await?;
    let words = ["-C".to_owned(), folder.display().to_string()].into_iter().chain(words);
    let command = Invocation { outside: true, ..Invocation::changes(words) };
    let done = remove(cx, inside, command, specs).await;
    requests::remove(cx, folder).await?;
    done
}

/// The prefix of an external package, or a link to what replaces a deprecated one, stays.
fn is_shared(cx: &Cx, prefix: &std::path::Path) -> bool {
    let is_link = cx.world.eyes.lstat(prefix).is_ok_and(|s| s.kind == crate::world::fs::eyes::FileKind::Link);
    is_link || cx.world.eyes.exists(&prefix.join(".spack")).is_ok_and(|there| !there)
}

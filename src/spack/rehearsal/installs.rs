//! Installing, removing and marking, pretended: the lock or the concrete specs say what comes, the database of the
//! plan has it afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::arrivals::{self, Arrivals, Manner};
use super::database_edit::{self, NewRecord};
use super::solving;
use crate::base::{Kind, Result, Trouble, words};
use crate::spack::drive::installed;
use crate::spack::drive::session::Scope;
use crate::spack::environment::manifest::Manifest;
use crate::spack::lock::contents::LockContents;
use crate::spack::lock::lockfile::LockfileText;
use crate::spack::read::concretize::documents_of;
use crate::spack::read::env_status::{RootState, status_of};
use crate::spack::rehearsal::command::{Command, ended};
use crate::spack::store::query::short;
use crate::spack::store::row::SpecRow;
use crate::world::fs::eyes::LiveEyes;
use crate::world::fs::space;
use crate::world::proc::program::{Program, Ran};
use crate::world::seam::predicted::{Effect, EnvironmentTouched, SpecEffect};
use crate::world::seam::scene::PlanContext;

/// `spack -e ENV install`.
pub async fn inside(scene: &PlanContext<'_>, command: &Command<'_>, program: Program) -> Result<Ran> {
    let (cx, scope) = (command.cx, command.scope);
    let environment = scope.inside()?;
    // What was there before the plan began, whatever it did to the lock since.
    let before = LockContents::of_environment(&LiveEyes, environment)?.unwrap_or_default();
    let behind = |state: RootState| matches!(state, RootState::NotConcretized | RootState::Stale);
    let status = status_of(cx, scope)?;
    if status.roots.iter().any(|r| behind(r.state)) || !status.not_understood.is_empty() {
        // Spack concretizes what is not yet; the same words but the verb do only that.
        let mut program = program;
        let at = program.argv.iter().position(|w| w == "install").unwrap_or(program.argv.len());
        program.argv.truncate(at);
        program.argv.push("concretize".to_owned());
        program.stdin = crate::world::proc::program::Stdin::Null;
        let ran = solving::solve(scene, command, program).await?;
        if !ran.ok() {
            return Ok(ran);
        }
    }
    let locked = LockContents::of_environment(&*cx.world.eyes, environment)?.unwrap_or_default();
    let asked = asked_for(command);
    let roots: BTreeSet<String> = if asked.is_empty() {
        locked.root_hashes()
    } else {
        let named = locked.roots.iter().filter(|r| asked.contains(&r.spec)).map(|r| &r.hash);
        let by_hash = locked.specs.keys().filter(|hash| asked.contains(&format!("/{hash}")));
        named.chain(by_hash).cloned().collect()
    };
    if roots.is_empty() && !asked.is_empty() {
        scene.assume("which specs of the environment match was left to Spack");
    }
    let text = LockfileText::of(cx, environment)?;
    let nodes = text.as_ref().map(nodes_of_lock).transpose()?.unwrap_or_default();
    let arrivals = arrivals::of(command, &locked.specs, &roots, &before, Manner::of(command)).await?;
    // What is asked for by its hash and is no root stays implicit.
    let explicit = roots.intersection(&locked.root_hashes()).cloned().collect();
    plan(scene, command, &locked.specs, nodes, &explicit, arrivals)?;
    scene.detail("environments", [touched(command, before.specs.keys().ne(locked.specs.keys()))?]);
    Ok(ended(0, ""))
}

/// The specs among the words: those after the options, which end where a word names a root.
fn asked_for(command: &Command<'_>) -> BTreeSet<String> {
    command.invocation.specs.iter().cloned().collect()
}

/// `spack install FILE.json…`, as this build installs outside of environments.
pub async fn outside(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    let files: Vec<PathBuf> = command
        .plain()
        .filter(|w| w.contains('/'))
        .map(PathBuf::from)
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .collect();
    if files.is_empty() {
        scene.assume("what is installed was left to Spack");
        return Ok(ended(0, ""));
    }
    let eyes = &*command.cx.world.eyes;
    let (mut roots, mut specs, mut nodes) = (BTreeSet::new(), BTreeMap::new(), Nodes::new());
    for file in files {
        let text = eyes.read_text(&file)?;
        let solved = documents_of(&text)?;
        roots.extend(solved.roots);
        specs.extend(solved.specs);
        nodes.extend(nodes_of_document(&text)?);
    }
    let before = installed_before(command).await?;
    let arrivals = arrivals::of(command, &specs, &roots, &before, Manner::of(command)).await?;
    plan(scene, command, &specs, nodes, &roots, arrivals)?;
    let modules = modules(command.scope)?;
    if !modules.is_empty() {
        let touched = EnvironmentTouched { name: String::new(), modules, ..EnvironmentTouched::default() };
        scene.detail("environments", [touched]);
    }
    Ok(ended(0, ""))
}

/// What users asked for so far, as if it were a lock: a new version of such a package is an upgrade.
async fn installed_before(command: &Command<'_>) -> Result<LockContents> {
    let (cx, scope) = (command.cx.clone(), command.scope.clone());
    let rows = cx
        .blocking(move |cx| {
            scope.with_stores(&cx, |stores, _| {
                let found = stores.entries().filter(|e| e.record.installed && e.record.explicit);
                found.map(|entry| SpecRow::of_entry(stores, entry)).collect::<Result<Vec<_>>>()
            })
        })
        .await?;
    let specs = rows.into_iter().map(|row| (row.hash.clone(), row)).collect();
    Ok(LockContents { specs, ..LockContents::default() })
}

fn plan(
    scene: &PlanContext<'_>,
    command: &Command<'_>,
    specs: &BTreeMap<String, SpecRow>,
    mut nodes: Nodes,
    explicit: &BTreeSet<String>,
    arrivals: Arrivals,
) -> Result<()> {
    let scope = command.scope;
    for why in &arrivals.not_looked {
        scene.assume(why.as_str());
    }
    for name in &arrivals.unavailable {
        scene.guard("mirrors", true, format!("{name} is in no mirror, and nothing may be built"));
    }
    super::inputs::note_specs(command.cx, scope, specs, &arrivals.effects)?;
    room(scene, scope, &arrivals.effects);
    let tree = scope.install_tree()?.root;
    let mut new = Vec::new();
    for hash in &arrivals.externals {
        let (Some(row), Some(node)) = (specs.get(hash), nodes.remove(hash)) else { continue };
        let prefix = row.external.as_ref().and_then(|e| e.path.clone());
        new.push(NewRecord { hash: hash.clone(), node, prefix, explicit: explicit.contains(hash) });
    }
    for hash in &arrivals.new {
        let (Some(row), Some(node)) = (specs.get(hash), nodes.remove(hash)) else { continue };
        let prefix = prefix(&tree, scope, row);
        scene.overlay.make_folder(&Path::new(&prefix).join(".spack"));
        new.push(NewRecord {
            hash: hash.clone(),
            node,
            prefix: Some(prefix),
            explicit: explicit.contains(hash),
        });
    }
    let explicit: Vec<String> = explicit.iter().cloned().collect();
    if !new.is_empty() || !explicit.is_empty() {
        let now = command.cx.world.clock.seconds();
        database_edit::edit(scene, scope, |installs| database_edit::add(installs, new, &explicit, now))?;
    }
    scene.detail("specs", arrivals.effects);
    Ok(())
}

/// Whether what comes fits on the disk of the store.
fn room(scene: &PlanContext<'_>, scope: &Scope, effects: &[SpecEffect]) {
    let needed: u64 = effects.iter().filter(|e| e.is_new()).filter_map(|e| e.disk).sum();
    let Ok(tree) = scope.install_tree() else { return };
    let free = tree.root.ancestors().find_map(|p| space::space(p).ok()).map(|s| s.free_bytes);
    if let Some(free) = free.filter(|free| *free < needed) {
        let (needed, free) = (words::size(needed), words::size(free));
        scene.guard(
            "disk",
            true,
            format!("about {needed} are needed at {}, {free} are free", tree.root.display()),
        );
    }
}

/// Where Spack would put it, by the default scheme; another one is not followed.
fn prefix(tree: &Path, scope: &Scope, row: &SpecRow) -> String {
    let text = |part: &Option<String>| part.clone().unwrap_or_else(|| "unknown".to_owned());
    let leaf = format!("{}-{}-{}", row.name, row.version, row.hash);
    let (platform, os, target) = (text(&row.arch.platform), text(&row.arch.os), text(&row.arch.target));
    let path = if scope.spack.installation.release.abilities().compilers_are_nodes {
        tree.join(format!("{platform}-{target}")).join(leaf)
    } else {
        let compiler = row.compiler.as_deref().unwrap_or("unknown").replace('@', "-");
        tree.join(format!("{platform}-{os}-{target}")).join(compiler).join(leaf)
    };
    path.display().to_string()
}

fn touched(command: &Command<'_>, lock: bool) -> Result<EnvironmentTouched> {
    let manifest = Manifest::read(&*command.cx.world.eyes, &command.scope.config)?;
    Ok(EnvironmentTouched {
        name: command.scope.inside()?.name.clone(),
        changed: if lock { vec!["lock".to_owned()] } else { Vec::new() },
        views: manifest.views.iter().map(|v| v.root.display().to_string()).collect(),
        modules: modules(command.scope)?,
    })
}

/// Roots of the module files that an installation writes.
fn modules(scope: &Scope) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for set in scope.config.module_sets()? {
        let wanted = set.roots.iter().filter(|(kind, _)| set.enabled.contains(kind));
        out.extend(wanted.map(|(_, root)| root.display().to_string()));
    }
    Ok(out)
}

type Nodes = BTreeMap<String, Box<RawValue>>;

#[derive(Deserialize)]
struct Hashed {
    hash: String,
}

fn nodes_of_document(text: &str) -> Result<Nodes> {
    #[derive(Deserialize)]
    struct Document {
        spec: Body,
    }
    #[derive(Deserialize)]
    struct Body {
        nodes: Vec<Box<RawValue>>,
    }
    let wrong = |e: serde_json::Error| Trouble::new(Kind::Program, format!("a concrete spec: {e}"));
    let document: Document = serde_json::from_str(text).map_err(wrong)?;
    let hashed = |node: Box<RawValue>| {
        serde_json::from_str::<Hashed>(node.get()).map(|h| (h.hash, node)).map_err(wrong)
    };
    document.spec.nodes.into_iter().map(hashed).collect()
}

fn nodes_of_lock(text: &LockfileText) -> Result<Nodes> {
    let lock = text.parse()?;
    let raw = |text: &str| {
        RawValue::from_string(text.to_owned())
            .map_err(|e| Trouble::new(Kind::Corrupt, format!("a node of the lock: {e}")))
    };
    lock.all_specs().iter().map(|spec| Ok((spec.hash.to_string(), raw(spec.raw)?))).collect()
}

/// `spack uninstall` and `spack gc` of specs that are known.
pub fn removed(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    let store = installed::read(command.cx, command.scope)?;
    let gone = &command.invocation.removes;
    let mut effects = Vec::new();
    for hash in gone {
        let Some(held) = store.get(hash) else { continue };
        effects.push(SpecEffect {
            effect: Effect::Removed,
            name: held.name.clone(),
            version: held.version.clone(),
            hash: hash.clone(),
            replaces: Vec::new(),
            env: None,
            installs: true,
            origin: crate::world::seam::predicted::Origin::Store,
            download: None,
            disk: None,
            seconds: None,
        });
        if let Some(prefix) = held.prefix.as_deref().map(Path::new)
            && command.cx.world.eyes.exists(&prefix.join(".spack"))?
        {
            scene.overlay.remove(prefix);
        }
    }
    super::inputs::note_hashes(command.cx, command.scope, &store, gone)?;
    database_edit::edit(scene, command.scope, |installs| {
        installs.retain(|hash, _| !gone.contains(hash));
        Ok(())
    })?;
    scene.detail("specs", effects);
    Ok(ended(0, ""))
}

/// `spack mark -e|-i /HASH…`.
pub fn marked(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    let explicit = command.has("-e");
    let hashes: Vec<String> =
        command.plain().filter_map(|w| w.strip_prefix('/')).map(str::to_owned).collect();
    database_edit::edit(scene, command.scope, |installs| {
        hashes.iter().try_for_each(|hash| database_edit::mark(installs, hash, explicit))
    })?;
    let names: Vec<&str> = hashes.iter().map(|h| short(h)).collect();
    scene.detail("marked", names);
    Ok(ended(0, ""))
}

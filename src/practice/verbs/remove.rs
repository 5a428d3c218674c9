//! `spack uninstall`, `gc` and `mark`: what goes, what stands in the way, and what is explicit.

use std::collections::BTreeSet;

use crate::practice::env::environment::Environment;
use crate::practice::model::halt::Halt;
use crate::practice::model::record::{ALL_TYPES, Node, Nodes, closure};
use crate::practice::model::{disk, format, query};
use crate::practice::modules::files;
use crate::practice::session::{Declared, Options, Session};
use crate::practice::store::Records;
use crate::world::fs::lock::Mode;

const UNINSTALL: &[Declared] = &[
    (&["-y", "--yes-to-all"], false),
    (&["-f", "--force"], false),
    (&["-R", "--dependents"], false),
    (&["-a", "--all"], false),
    (&["--remove"], false),
];

/// The one installed package that a query means.
pub fn one_installed(records: &Records, nodes: &Nodes, text: &str) -> Result<Node, Halt> {
    let spec = query::parse_one(text)?;
    let found: Vec<&Node> = installed(records).filter(|n| query::matches(n, &spec, nodes)).collect();
    match found.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(Halt::failed(format!("Spec '{text}' matches no installed packages."))),
        many => {
            let mut message = format!("{text} matches multiple packages.\n  Matching packages:");
            for node in many {
                message += &format!(
                    "\n    {} {}@{} platform={} os={} target={}",
                    node.short(),
                    node.name,
                    node.version,
                    node.arch.platform,
                    node.arch.platform_os,
                    node.target()
                );
            }
            Err(Halt::failed(message + "\n  Use a more specific spec (e.g., prepend '/' to the hash)."))
        }
    }
}

fn installed(records: &Records) -> impl Iterator<Item = &Node> {
    records.0.values().filter(|r| r.installed).map(|r| &r.spec)
}

pub fn uninstall(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let options = Options::read(arguments, UNINSTALL)?;
    let records = session.store.read()?;
    let nodes = records.nodes();
    let mut chosen = selected(session, &options, &records, &nodes)?;
    let needed_by = dependents(&records, &chosen);
    let mut all = chosen.clone();
    if options.has("--dependents") {
        all.extend(needed_by.iter().cloned());
    }
    let users = environments_using(session, &all)?;
    let active = session.environment.as_ref().map(|e| e.name.clone());
    let users: Vec<String> = users.into_iter().filter(|u| Some(u) != active.as_ref()).collect();
    let forced = options.has("--force");
    let dangling = !options.has("--dependents") && !needed_by.is_empty();
    if !forced && (dangling || !options.has("--remove") && !users.is_empty()) {
        let needed_by = if dangling { needed_by } else { BTreeSet::new() };
        return refuse(session, &chosen, &needed_by, &users, &nodes);
    }
    if options.has("--dependents") {
        chosen.extend(needed_by);
    }
    if options.has("--remove") && !forced {
        keep_shared(session, &mut chosen, &users, &nodes)?;
    }
    if chosen.is_empty() {
        session.complain("==> Warning: There are no package to uninstall.")?;
        return Ok(0);
    }
    if !options.has("--yes-to-all") && !confirm(session, &chosen, &nodes)? {
        session.say("==> Will not uninstall any packages.")?;
        return Ok(0);
    }
    delete(session, &chosen, &records, &nodes)?;
    if let Some(environment) = session.environment.clone() {
        if options.has("--remove") {
            super::env::remove(session, &options.words)?;
        }
        super::env::refresh_view(session, &environment)?;
    }
    Ok(0)
}

fn selected(
    session: &mut Session<'_, '_>,
    options: &Options,
    records: &Records,
    nodes: &Nodes,
) -> Result<BTreeSet<String>, Halt> {
    if options.words.is_empty() && !options.has("--all") {
        return Err(Halt::failed(
            "uninstall requires at least one package argument.\n    Use `spack uninstall --all` to uninstall ALL packages.",
        ));
    }
    let mut chosen = BTreeSet::new();
    let scope = match &session.environment {
        Some(environment) => Some(environment.lock()?.nodes),
        None => None,
    };
    let known = |n: &&Node| scope.as_ref().is_none_or(|s| s.contains_key(&n.hash));
    if options.words.is_empty() {
        chosen.extend(installed(records).filter(known).map(|n| n.hash.clone()));
    }
    for spec in query::parse(&options.words)? {
        let found: Vec<&Node> =
            installed(records).filter(known).filter(|n| query::matches(n, &spec, nodes)).collect();
        match &session.environment {
            _ if !found.is_empty() => {}
            Some(environment) => {
                let name = &environment.name;
                return Err(Halt::failed(format!(
                    "{spec} does not match any packages in environment '{name}'."
                )));
            }
            None => return Err(Halt::failed(format!("{spec} does not match any installed packages."))),
        }
        if found.len() > 1 && !options.has("--all") {
            session.complain(&format!("==> Error: {spec} matches multiple packages:\n"))?;
            for node in &found {
                session.complain(&format!("    {} {}@{}", node.short(), node.name, node.version))?;
            }
            session.complain("")?;
            return Err(Halt::failed(
                "You can either:\n    a) use a more specific spec, or\n    b) specify the spec by its hash (e.g. `spack uninstall /hash`), or\n    c) use `spack uninstall --all` to uninstall ALL matching specs.\n",
            ));
        }
        chosen.extend(found.into_iter().map(|n| n.hash.clone()));
    }
    Ok(chosen)
}

/// Installed packages, not chosen themselves, that link or run a chosen one, at any distance.
fn dependents(records: &Records, chosen: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest: Vec<String> = chosen.iter().cloned().collect();
    while let Some(hash) = rest.pop() {
        for record in records.dependents(&hash) {
            let runs = record.spec.edges(&["link", "run"]).any(|e| e.hash == hash);
            if runs && !chosen.contains(&record.spec.hash) && found.insert(record.spec.hash.clone()) {
                rest.push(record.spec.hash.clone());
            }
        }
    }
    found
}

fn environments_using(session: &Session<'_, '_>, chosen: &BTreeSet<String>) -> Result<Vec<String>, Halt> {
    let mut names = Vec::new();
    for environment in session.managed() {
        if environment.lock()?.nodes.keys().any(|h| chosen.contains(h)) {
            names.push(environment.name);
        }
    }
    Ok(names)
}

/// What other environments use is only taken out of this one.
fn keep_shared(
    session: &mut Session<'_, '_>,
    chosen: &mut BTreeSet<String>,
    users: &[String],
    nodes: &Nodes,
) -> Result<(), Halt> {
    let mut shared = BTreeSet::new();
    for environment in session.managed().into_iter().filter(|e| users.contains(&e.name)) {
        shared.extend(environment.lock()?.nodes.into_keys().filter(|h| chosen.contains(h)));
    }
    if shared.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = shared.iter().filter_map(|h| nodes.get(h)).map(|n| n.name.as_str()).collect();
    session.say(&format!(
        "==> The following specs will be removed but not uninstalled because they are also used by another environment: {}",
        names.join(", ")
    ))?;
    chosen.retain(|h| !shared.contains(h));
    Ok(())
}

fn listing(hashes: &BTreeSet<String>, nodes: &Nodes) -> Vec<String> {
    let list: Vec<&Node> = hashes.iter().filter_map(|h| nodes.get(h)).collect();
    let mut lines = Vec::new();
    for (at, (header, members)) in format::groups(&list, nodes).into_iter().enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        lines.push(format!("    {}", format::rule(&header)));
        lines.extend(members.iter().map(|n| format!("    {} {}@{}", n.short(), n.name, n.version)));
    }
    lines
}

fn refuse(
    session: &mut Session<'_, '_>,
    chosen: &BTreeSet<String>,
    needed_by: &BTreeSet<String>,
    users: &[String],
    nodes: &Nodes,
) -> Result<u8, Halt> {
    session.say("==> Refusing to uninstall the following specs")?;
    for line in listing(chosen, nodes) {
        session.say(&line)?;
    }
    session.say("")?;
    let mut advice = String::new();
    if !needed_by.is_empty() {
        session.say("==> The following dependents are still installed:")?;
        for line in listing(needed_by, nodes) {
            session.say(&line)?;
        }
        session.say("")?;
        advice += "\n  use `spack uninstall --dependents` to remove dependents too";
    }
    if !users.is_empty() {
        session.say("==> The following environments still reference these specs:")?;
        for user in users {
            session.say(&format!("    {user}"))?;
        }
        session.say("")?;
        if session.environment.is_some() {
            advice += "\n  use `spack remove` to remove the spec from the current environment";
        }
        advice += "\n  use `spack env remove` to remove environments";
    }
    Err(Halt::failed(format!(
        "There are still dependents.{advice}\n  use `spack uninstall --force` to override"
    )))
}

fn confirm(session: &mut Session<'_, '_>, chosen: &BTreeSet<String>, nodes: &Nodes) -> Result<bool, Halt> {
    for line in listing(chosen, nodes) {
        session.say(&line)?;
    }
    session.say("")?;
    session.confirm(&format!("{} packages will be uninstalled. Do you want to proceed?", chosen.len()))
}

/// Removes prefixes and records, dependents first.
fn delete(
    session: &mut Session<'_, '_>,
    chosen: &BTreeSet<String>,
    records: &Records,
    nodes: &Nodes,
) -> Result<(), Halt> {
    let all: Vec<String> = chosen.iter().cloned().collect();
    let mut order = crate::practice::model::record::build_order(nodes, &all);
    order.retain(|h| chosen.contains(h));
    order.reverse();
    for hash in order {
        let (Some(node), Some(record)) = (nodes.get(&hash), records.0.get(&hash)) else { continue };
        let _lock = session.store.lock_prefix(&hash, Mode::Write)?;
        session.store.change(|r| {
            if let Some(record) = r.0.get_mut(&hash) {
                record.installed = false;
                record.explicit = false;
            }
        })?;
        if let Some(path) = record.path.as_ref().filter(|_| node.external.is_none()) {
            disk::remove(path.as_ref())?;
        }
        files::uninstalled(session, node, nodes)?;
        let text = format::display(node, nodes);
        session.say(&format!("==> Successfully uninstalled {text}/{}", node.short()))?;
    }
    Ok(())
}

const GC: &[Declared] = &[
    (&["-y", "--yes-to-all"], false),
    (&["-E", "--except-any-environment"], false),
    (&["-b", "--keep-build-dependencies"], false),
    (&["-e", "--except-environment"], true),
];

pub fn gc(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let options = Options::read(arguments, GC)?;
    let records = session.store.read()?;
    let nodes = records.nodes();
    let types: &[&str] = if options.has("--keep-build-dependencies") { ALL_TYPES } else { &["link", "run"] };
    let mut keep = BTreeSet::new();
    let named = options.values("--except-environment");
    let everywhere = options.has("--except-any-environment") || !named.is_empty();
    if let Some(environment) = session.environment.as_ref().filter(|_| !everywhere) {
        // Everything outside of the environment, and its roots.
        let lock = environment.lock()?;
        let outside = records.0.keys().filter(|h| !lock.nodes.contains_key(*h)).cloned();
        let roots = lock.roots.iter().map(|r| r.hash.clone());
        keep.extend(closure(&nodes, outside.chain(roots), types));
    } else if !everywhere {
        let explicit = records.0.values().filter(|r| r.installed && r.explicit).map(|r| r.spec.hash.clone());
        keep.extend(closure(&nodes, explicit, types));
    }
    let mut keepers: Vec<Environment> = Vec::new();
    for word in &named {
        let unknown = |_| Halt::failed(format!("No such environment: '{word}'"));
        keepers.push(Environment::find(word, &session.environments, false).map_err(unknown)?);
    }
    if options.has("--except-any-environment") {
        keepers.extend(session.managed());
        keepers.extend(session.environment.clone());
    }
    for environment in keepers {
        let lock = environment.lock()?;
        keep.extend(closure(&lock.nodes, lock.roots.iter().map(|r| r.hash.clone()), types));
    }
    let mut unused: BTreeSet<String> =
        installed(&records).map(|n| n.hash.clone()).filter(|h| !keep.contains(h)).collect();
    if let Some(environment) = session.environment.clone().filter(|_| !everywhere) {
        session.say(&format!("==> Restricting garbage collection to environment '{}'", environment.name))?;
        let lock = environment.lock()?;
        unused.retain(|h| lock.nodes.contains_key(h));
    }
    let specs = query::parse(&options.words)?;
    if !specs.is_empty() {
        unused.retain(|h| nodes.get(h).is_some_and(|n| specs.iter().any(|s| query::matches(n, s, &nodes))));
    }
    if unused.is_empty() {
        session.say("==> There are no unused specs. Spack's store is clean.")?;
        return Ok(0);
    }
    if options.has("--yes-to-all") || confirm(session, &unused, &nodes)? {
        delete(session, &unused, &records, &nodes)?;
    }
    Ok(0)
}

pub fn mark(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let declared: &[Declared] =
        &[(&["-e", "--explicit"], false), (&["-i", "--implicit"], false), (&["-a", "--all"], false)];
    let options = Options::read(arguments, declared)?;
    if options.words.is_empty() && !options.has("--all") {
        return Err(Halt::failed(
            "mark requires at least one package argument.\n    Use `spack mark --all` to mark ALL packages.",
        ));
    }
    if options.has("--explicit") == options.has("--implicit") {
        return Err(Halt {
            code: 2,
            text: "one of the arguments -e/--explicit -i/--implicit is required".into(),
        });
    }
    let records = session.store.read()?;
    let nodes = records.nodes();
    let chosen = selected(session, &options, &records, &nodes)?;
    let explicit = options.has("--explicit");
    session.store.change(|r| {
        for hash in &chosen {
            if let Some(record) = r.0.get_mut(hash) {
                record.explicit = explicit;
            }
        }
    })?;
    Ok(0)
}

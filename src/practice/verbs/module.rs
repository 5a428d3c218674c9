//! `spack module tcl` and `module lmod`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::practice::model::halt::Halt;
use crate::practice::model::record::{ALL_TYPES, Node, Nodes, closure};
use crate::practice::model::{disk, format, query};
use crate::practice::modules::files::{hide, remove};
use crate::practice::modules::{self, ModuleSet, System, text};
use crate::practice::session::{Declared, Options, Session};

pub fn module(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let Some((system, rest)) = arguments.split_first().and_then(|(w, rest)| Some((System::parse(w)?, rest)))
    else {
        return Err(Halt { code: 2, text: "spack module requires a SUBCOMMAND: lmod or tcl".into() });
    };
    let declared: &[Declared] = &[
        (&["-n", "--name"], true),
        (&["--delete-tree"], false),
        (&["--upstream-modules"], false),
        (&["--full-path"], false),
        (&["-y", "--yes-to-all"], false),
    ];
    let mut options = Options::read(rest, declared)?;
    if options.words.is_empty() {
        return Err(Halt { code: 2, text: format!("spack module {} requires a SUBCOMMAND", system.word()) });
    }
    let verb = options.words.remove(0);
    let name = options.value("--name").unwrap_or("default").to_owned();
    let names = modules::names(session)?;
    if !names.contains(&name) {
        return Err(Halt::failed(format!(
            "Cannot use invalid module set '{name}'.\n    Valid module set names are: '{}'.",
            names.join("', '")
        )));
    }
    let chosen = chosen(session, &options)?;
    match verb.as_str() {
        "refresh" => refresh(session, &options, &name, system, &chosen),
        "rm" => rm(session, &options, &name, system, &chosen),
        "find" => find(session, &options, &name, system, &chosen),
        other => Err(Halt { code: 2, text: format!("argument SUBCOMMAND: invalid choice: '{other}'") }),
    }
}

/// Installed specs, of the environment where one is active, that fit the words.
fn chosen(session: &Session<'_, '_>, options: &Options) -> Result<Vec<Node>, Halt> {
    let records = session.store.read()?;
    let nodes = records.nodes();
    let scope = match &session.environment {
        Some(environment) => {
            let lock = environment.lock()?;
            let roots = lock.roots.iter().map(|r| r.hash.clone());
            Some(closure(&lock.nodes, roots, ALL_TYPES))
        }
        None => None,
    };
    let specs = query::parse(&options.words)?;
    let mut found: Vec<Node> = records
        .0
        .values()
        .filter(|r| r.installed && scope.as_ref().is_none_or(|s| s.contains(&r.spec.hash)))
        .map(|r| &r.spec)
        .filter(|n| specs.is_empty() || specs.iter().any(|s| query::matches(n, s, &nodes)))
        .cloned()
        .collect();
    found.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
    Ok(found)
}

/// Shows the specs and asks; Spack has no default answer here.
fn agreed(
    session: &mut Session<'_, '_>,
    options: &Options,
    message: &str,
    list: &[&Node],
    nodes: &Nodes,
) -> Result<bool, Halt> {
    if options.has("--yes-to-all") {
        return Ok(true);
    }
    session.say(&format!("==> {message}\n"))?;
    for (at, (header, members)) in format::groups(list, nodes).into_iter().enumerate() {
        if at > 0 {
            session.say("")?;
        }
        session.say(&format::rule(&header))?;
        for node in members {
            session.say(&format!("{} {}@{}", node.short(), node.name, node.version))?;
        }
    }
    session.say("")?;
    session.ask("Do you want to proceed? [y/n]")
}

fn refresh(
    session: &mut Session<'_, '_>,
    options: &Options,
    name: &str,
    system: System,
    chosen: &[Node],
) -> Result<u8, Halt> {
    if chosen.is_empty() {
        session.say("==> No package matches your query")?;
        return Ok(0);
    }
    let nodes = session.store.read()?.nodes();
    let all: Vec<&Node> = chosen.iter().collect();
    let message = format!("You are about to regenerate {} module files for:", system.word());
    if !agreed(session, options, &message, &all, &nodes)? {
        return Err(Halt::failed("Module file regeneration aborted."));
    }
    let set = ModuleSet::read(session, name, system, &Nodes::new())?;
    let mut files: BTreeMap<PathBuf, Vec<&Node>> = BTreeMap::new();
    for node in chosen {
        if !set.excluded(node)? {
            files.entry(set.file(node)?).or_default().push(node);
        }
    }
    if files.values().any(|writers| writers.len() > 1) {
        return clashes(session, &files);
    }
    if files.is_empty() {
        session.say(&format!("==> Nothing to be done for {} module files.", system.word()))?;
        return Ok(0);
    }
    session.say(&format!("==> Regenerating {} module files", system.word()))?;
    if options.has("--delete-tree") {
        disk::remove(&set.root)?;
    }
    write_index(&set, &files, options.has("--delete-tree"))?;
    for (file, writers) in &files {
        for node in writers {
            disk::write(file, text::text(&set, node)?)?;
            hide(&set, node, file, false)?;
        }
    }
    Ok(0)
}

fn clashes(session: &mut Session<'_, '_>, files: &BTreeMap<PathBuf, Vec<&Node>>) -> Result<u8, Halt> {
    let mut text = "Name clashes detected in module files:\n".to_owned();
    for (file, writers) in files.iter().filter(|(_, w)| w.len() > 1) {
        text += &format!("\nfile: {}\n", file.display());
        for node in writers {
            text += &format!(
                "spec: {}@={}/{} arch={}\n",
                node.name,
                node.version,
                node.short(),
                node.arch_text()
            );
        }
    }
    session.complain(&format!("==> Error: {text}"))?;
    Err(Halt::failed("Operation aborted"))
}

/// The list of modules that Spack keeps at the root, for installations that have this one upstream.
fn write_index(set: &ModuleSet, files: &BTreeMap<PathBuf, Vec<&Node>>, anew: bool) -> Result<(), Halt> {
    let path = set.root.join("module-index.yaml");
    let old = if anew { None } else { crate::practice::config::read_yaml(&path)? };
    let mut index = old.and_then(|o| o.get("module_index")?.as_object().cloned()).unwrap_or_else(Map::new);
    for (file, writers) in files {
        for node in writers {
            index.insert(node.hash.clone(), json!({"path": file, "use_name": set.use_name(node)?}));
        }
    }
    let text = crate::practice::config::to_yaml(&json!({"module_index": Value::Object(index)}), 0);
    Ok(disk::write(&path, text)?)
}

fn rm(
    session: &mut Session<'_, '_>,
    options: &Options,
    name: &str,
    system: System,
    chosen: &[Node],
) -> Result<u8, Halt> {
    let set = ModuleSet::read(session, name, system, &Nodes::new())?;
    let mut there = Vec::new();
    for node in chosen {
        if set.file(node)?.exists() {
            there.push(node);
        }
    }
    if there.is_empty() {
        return Err(Halt::failed("No module file matches your query"));
    }
    let message = format!("You are about to remove {} module files for:\n", system.word());
    if !agreed(session, options, &message, &there, &set.nodes)? {
        return Err(Halt::failed("Will not remove any module files"));
    }
    for node in there {
        remove(&set, node)?;
    }
    Ok(0)
}

fn find(
    session: &mut Session<'_, '_>,
    options: &Options,
    name: &str,
    system: System,
    chosen: &[Node],
) -> Result<u8, Halt> {
    let words = options.words.join(" ");
    let one = "In this context exactly *one* match is needed.";
    let node = match chosen {
        [node] => node,
        [] => return Err(Halt::failed(format!("the constraint '{words}' matches no package.\n    {one}"))),
        _ => {
            return Err(Halt::failed(format!(
                "the constraint '{words}' matches multiple packages:\n    {one}"
            )));
        }
    };
    let set = ModuleSet::read(session, name, system, &Nodes::new())?;
    let file = set.file(node)?;
    if !file.exists() {
        return Err(Halt::failed(format!(
            "No module is installed for {}",
            format::display(node, &set.nodes)
        )));
    }
    let line = if options.has("--full-path") { file.display().to_string() } else { set.use_name(node)? };
    session.say(&line)?;
    Ok(0)
}

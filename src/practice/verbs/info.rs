//! The verbs that only tell: configuration, mirrors, repositories, locations, compilers, architecture.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::practice::config::{SECTIONS, to_yaml};
use crate::practice::model::halt::Halt;
use crate::practice::model::record::{Node, OS, PLATFORM, TARGET};
use crate::practice::model::{format, query};
use crate::practice::session::{Declared, Options, Session, stage_root};
use crate::practice::store::mirror as mirrors;

pub fn config(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let Some((verb, rest)) = arguments.split_first() else {
        return Err(Halt { code: 2, text: "spack config requires a SUBCOMMAND".into() });
    };
    match verb.as_str() {
        "get" => get(session, rest),
        "list" => {
            session.say(&SECTIONS.join(" "))?;
            Ok(0)
        }
        other => Err(Halt { code: 2, text: format!("argument SUBCOMMAND: invalid choice: '{other}'") }),
    }
}

fn get(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let options = Options::read(arguments, &[(&["--json"], false)])?;
    let Some(name) = options.words.first() else {
        let environment = session.active("config get")?;
        let text = std::fs::read_to_string(environment.manifest_path()).unwrap_or_default();
        write!(session.streams.out, "{text}")?;
        return Ok(0);
    };
    if !SECTIONS.contains(&name.as_str()) {
        session.complain("usage: spack config get [-h] [--json] [section]")?;
        let choices = SECTIONS.join("  ");
        session.complain(&format!(
            "spack config get: error: argument section: invalid choice: '{name}' choose from:\n    {choices}"
        ))?;
        return Ok(2);
    }
    let section = json!({ name.as_str(): session.config.section(name)? });
    let text = if options.has("--json") { section.to_string() + "\n" } else { to_yaml(&section, 0) };
    write!(session.streams.out, "{text}")?;
    Ok(0)
}

pub fn mirror(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    if arguments.first().is_none_or(|w| w != "list" && w != "ls") {
        return Err(Halt::failed("the practice site's spack knows only 'mirror list'"));
    }
    let list = mirrors::configured(&session.config)?;
    if list.is_empty() {
        session.say("==> No mirrors configured.")?;
    }
    let width = list.iter().map(|m| m.name.len()).max().unwrap_or(0);
    for mirror in list {
        let source = if mirror.source { 's' } else { ' ' };
        let binary = if mirror.binary { 'b' } else { ' ' };
        session.say(&format!("{:<width$} [{source}{binary}] {}", mirror.name, mirror.url))?;
    }
    Ok(0)
}

pub fn repo(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    if arguments.first().is_none_or(|w| w != "list" && w != "ls") {
        return Err(Halt::failed("the practice site's spack knows only 'repo list'"));
    }
    let repos = session.config.section("repos")?;
    for (name, path) in repos.as_object().into_iter().flatten() {
        let path = session.config.substitute(path.as_str().unwrap_or_default());
        session.say(&format!("[+] {name}    v2.0    {path}"))?;
    }
    Ok(0)
}

pub fn location(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let declared: &[Declared] = &[
        (&["-i", "--install-dir"], false),
        (&["-r", "--spack-root"], false),
        (&["-S", "--stages"], false),
        (&["-e", "--env"], true),
    ];
    let options = Options::read(arguments, declared)?;
    let line = if options.has("--spack-root") {
        session.config.spack_root.clone()
    } else if options.has("--stages") {
        stage_root(session)?
    } else if let Some(name) = options.value("--env") {
        crate::practice::env::environment::Environment::find(name, &session.environments, false)?.folder
    } else {
        let records = session.store.read()?;
        let node = super::remove::one_installed(&records, &records.nodes(), &options.words.join(" "))?;
        let path = records.0.get(&node.hash).and_then(|r| r.path.clone());
        path.map_or_else(|| session.store.prefix(&node), PathBuf::from)
    };
    session.say(&line.to_string_lossy())?;
    Ok(0)
}

pub fn compilers(session: &mut Session<'_, '_>, verb: &str, arguments: &[String]) -> Result<u8, Halt> {
    let list = verb == "compilers" || arguments.first().is_some_and(|w| w == "list" || w == "ls");
    let compilers = session.config.compilers()?;
    if !list {
        let wanted = arguments.get(1).cloned().unwrap_or_default();
        if arguments.first().is_none_or(|w| w != "info") {
            return Err(Halt::failed(
                "the practice site's spack knows only 'compiler list' and 'compiler info'",
            ));
        }
        return info(session, &compilers, &wanted);
    }
    session.say("==> Available compilers")?;
    session.say(&format::rule(&format!("gcc {OS}-x86_64")))?;
    for compiler in compilers {
        session.say(&format!("[e]  {}@{}", compiler.name, compiler.version))?;
    }
    Ok(0)
}

fn info(session: &mut Session<'_, '_>, compilers: &[Node], wanted: &str) -> Result<u8, Halt> {
    let spec = query::parse_one(wanted)?;
    let nodes = compilers.iter().map(|n| (n.hash.clone(), n.clone())).collect();
    let mut any = false;
    for node in compilers.iter().filter(|n| query::matches(n, &spec, &nodes)) {
        any = true;
        let external = node.external.clone().unwrap_or_default();
        session.say(&format!("[e]  {}", format::display(node, &nodes)))?;
        session.say(&format!("\n  prefix: {}\n  compilers:", node.external_path().unwrap_or_default()))?;
        let paths = external.pointer("/extra_attributes/compilers").and_then(Value::as_object).cloned();
        for (language, path) in paths.unwrap_or_default() {
            session.say(&format!("    {language}: {}", path.as_str().unwrap_or_default()))?;
        }
        session.say("")?;
    }
    if any { Ok(0) } else { Err(Halt::failed(format!("No compilers match spec {wanted}"))) }
}

pub fn arch(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let declared: &[Declared] = &[
        (&["-p", "--platform"], false),
        (&["-o", "--operating-system"], false),
        (&["-t", "--target"], false),
    ];
    let options = Options::read(arguments, declared)?;
    let line = if options.has("--platform") {
        PLATFORM.to_owned()
    } else if options.has("--operating-system") {
        OS.to_owned()
    } else if options.has("--target") {
        TARGET.to_owned()
    } else {
        format!("{PLATFORM}-{OS}-{TARGET}")
    };
    session.say(&line)?;
    Ok(0)
}

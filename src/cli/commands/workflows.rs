//! What workflows there are, what they say of themselves, and the completion scripts that know their options.

use mlua::{MultiValue, Value};
use serde::Serialize;

use crate::base::Result;
use crate::cli::args;
use crate::cli::session::Session;
use crate::script::Host;
use crate::script::loader::SCRIPTS;
use crate::script::workflow::Workflow;

/// A workflow as it is listed.
#[derive(Serialize)]
struct Row {
    name: String,
    doc: String,
    /// `bundled`, or the file.
    source: String,
}

/// Lists the workflows.
pub async fn list(session: &Session) -> Result<u8> {
    let mut rows = Vec::new();
    for name in session.loader(None).names() {
        let bundled = SCRIPTS.iter().any(|s| s.name == name);
        let source = session.loader(None).script(&name).map(|s| s.name).unwrap_or_default();
        let (doc, source) = match declared(session, &name).await {
            Ok(Some(declared)) => (declared.workflow.doc, source),
            Ok(None) => (String::from("a script without a declaration"), source),
            // One broken file must not hide the others.
            Err(trouble) => (format!("cannot be read: {}", trouble.message()), source),
        };
        let source = if bundled && !source.contains('/') { String::from("bundled") } else { source };
        rows.push(Row { name, doc, source });
    }
    session.printer.give(&super::call::to_value("workflows", &rows)?)?;
    Ok(0)
}

/// A declaration, with the machine that its defaults live in.
pub struct Declared {
    pub workflow: Workflow,
    _host: Host,
}

/// What a script declares. Only one that has the word is run for it: a plain script would do its work.
pub async fn declared(session: &Session, name: &str) -> Result<Option<Declared>> {
    let source = session.loader(None).script(name)?;
    if !String::from_utf8_lossy(&source.text).contains("workflow") {
        return Ok(None);
    }
    let host = session.host(None)?;
    let results = host.run(&session.scope, &source, MultiValue::new()).await?;
    match results.front() {
        Some(value @ Value::Table(table)) if host.is_workflow(value) => {
            let workflow = Workflow::read(table)?;
            drop(results);
            Ok(Some(Declared { workflow, _host: host }))
        }
        _ => Ok(None),
    }
}

/// Prints a shell's completion script.
pub async fn completions(session: &Session, shell: clap_complete::Shell) -> Result<u8> {
    let mut tree = args::command();
    let mut run = clap::Command::new("run").about("Run a workflow, or a script file");
    let mut check = clap::Command::new("check").about("Run health checks");
    for name in session.loader(None).names() {
        if let Ok(Some(declared)) = declared(session, &name).await {
            let command = declared.workflow.command().no_binary_name(false).name(name.clone());
            if name == args::SWEEP {
                check = command.clone().name("check");
            }
            run = run.subcommand(command);
        }
    }
    // Where they are parsed, their options are words of any kind.
    tree = tree.mut_subcommand("run", |_| run).mut_subcommand("check", |_| check);
    for (module, _) in args::verbs::MODULES {
        tree = tree.subcommand(args::verbs::command(&session.registry, module));
    }
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut tree, "moonstack", &mut text);
    session.printer.result(String::from_utf8_lossy(&text).trim_end())?;
    Ok(0)
}

//! `run`, `eval`, `workflows`.

use std::ffi::OsString;
use std::path::Path;

use mlua::{MultiValue, Value};

use super::setup::Session;
use crate::base::{Kind, Result, Trouble};
use crate::script::host::Uncompiled;
use crate::script::workflow::Workflow;
use crate::script::{Host, error, value};
use crate::term::printer::Detail;

/// The words after `run`.
pub async fn words(session: &Session, words: &[OsString]) -> Result<u8> {
    let Some((name, args)) = words.split_first() else { return Err(Trouble::usage("run: which workflow?")) };
    let name = name.to_string_lossy();
    if name == "--help" || name == "-h" {
        let mut command = super::args::command();
        let help = command.find_subcommand_mut("run").map(|c| c.render_help().to_string());
        session.printer.result(help.unwrap_or_default().trim_end())?;
        return Ok(0);
    }
    if name.starts_with('-') {
        return Err(Trouble::usage(format!("run: '{name}' stands where the name of a workflow is expected"))
            .hint("options of moonstack itself go before `run`, those of the workflow after its name"));
    }
    workflow(session, &name, args).await
}

/// Runs a workflow with its options, or a plain script with its arguments.
pub async fn workflow(session: &Session, name: &str, args: &[OsString]) -> Result<u8> {
    let source = session.loader(None).script(name)?;
    let folder = Path::new(&source.name)
        .parent()
        .map(Path::to_owned)
        .filter(|_| name.contains('/') || Path::new(&source.name).exists());
    let host = session.host(folder)?;
    let plain: Vec<Value> = args
        .iter()
        .map(|a| host.lua().create_string(a.as_encoded_bytes()).map(Value::String))
        .collect::<mlua::Result<_>>()
        .map_err(|e| error::from_error(&e))?;
    let results = host.run(&session.scope, &source, MultiValue::from_vec(plain)).await?;
    match results.front() {
        Some(declared) if host.is_workflow(declared) => {
            let Value::Table(table) = declared else { return Ok(0) };
            let workflow = Workflow::read(table)?;
            declared_workflow(session, &host, &workflow, args).await
        }
        _ => exit_code(&results),
    }
}

async fn declared_workflow(
    session: &Session,
    host: &Host,
    workflow: &Workflow,
    args: &[OsString],
) -> Result<u8> {
    let matches = match workflow.command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(e) if !e.use_stderr() => {
            session.printer.result(e.to_string().trim_end())?;
            return Ok(0);
        }
        Err(e) => {
            let text = e.to_string();
            let mut lines = text.trim_end().lines();
            let first = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            let mut trouble = Trouble::usage(first);
            for line in lines.map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("Usage")) {
                trouble = trouble.hint(line.trim_start_matches("tip: "));
            }
            return Err(trouble);
        }
    };
    let options = workflow.arguments(host.lua(), &matches)?;
    // What was asked of moonstack as a whole holds for a workflow that knows the word.
    for (name, asked) in [("json", session.printer.json), ("quiet", session.printer.detail == Detail::Quiet)]
    {
        if asked && workflow.options.iter().any(|o| o.name == name) {
            options.raw_set(name, true).map_err(|e| error::from_error(&e))?;
        }
    }
    let arguments = MultiValue::from_vec(vec![Value::Table(options)]);
    exit_code(&host.call(&session.scope, workflow.run.clone(), arguments).await?)
}

/// A script may return its exit code; nothing is 0.
fn exit_code(results: &MultiValue) -> Result<u8> {
    match results.front() {
        Some(Value::Integer(code)) => u8::try_from(*code).map_err(|_| {
            Trouble::new(
                Kind::Script,
                format!("the script returned {code}; an exit code is between 0 and 255"),
            )
        }),
        _ => Ok(0),
    }
}

/// Evaluates an expression or statements and prints what they give.
pub async fn eval(session: &Session, code: &str) -> Result<u8> {
    let host = session.host(None)?;
    host.allow_globals();
    let function = host.compile_line("eval", code).map_err(Uncompiled::into_trouble)?;
    let results = host.call(&session.scope, function, MultiValue::new()).await?;
    for result in &results {
        match result {
            Value::Nil if results.len() == 1 && !session.printer.json => {}
            result => session.printer.give(&value::to_json(host.lua(), result))?,
        }
    }
    Ok(0)
}

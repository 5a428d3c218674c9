//! `env …`: the primitives of the module of that name, with the same verbs.

use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;
use serde_json::{Map, Value};

use super::call::{primitive, to_value};
use crate::base::{Kind, Result, Trouble};
use crate::cli::args::env::EnvCommand;
use crate::cli::session::Session;
use crate::term::plain::plain;

pub async fn env(session: &Session, command: &EnvCommand) -> Result<u8> {
    if let EnvCommand::Delete(args) = command
        && !args.yes
    {
        confirm(session, "delete the environment?")?;
    }
    let (path, options) = call_of(command)?;
    let reply = primitive(session, path, options).await?;
    let value = to_value(path, &*reply)?;
    match command {
        EnvCommand::Status(_) if !session.printer.json => {
            session.printer.value(value.get("roots").unwrap_or(&Value::Null))?;
            for what in value.get("not_understood").and_then(Value::as_array).into_iter().flatten() {
                session.printer.note(&format!("could not tell: {}", what.as_str().unwrap_or_default()));
            }
        }
        EnvCommand::Diff(_) if !session.printer.json && value.as_array().is_some_and(Vec::is_empty) => {
            session.printer.note("no differences");
        }
        _ => session.printer.give(&value)?,
    }
    Ok(if matches!(command, EnvCommand::Status(_)) { verdict(&value) } else { 0 })
}

/// 1 for roots that are not installed and locks that are not current, 3 where nothing but that could not be told.
fn verdict(status: &Value) -> u8 {
    if status.get("ok") == Some(&Value::Bool(true)) {
        return 0;
    }
    let roots = status.get("roots").and_then(Value::as_array).into_iter().flatten();
    let states = roots.filter_map(|root| root.get("state").and_then(Value::as_str));
    let known = status.get("stale").is_some_and(|stale| !stale.is_null());
    let attention = known || states.into_iter().any(|state| state == "missing");
    if attention { 1 } else { 3 }
}

/// The primitive and its arguments.
fn call_of(command: &EnvCommand) -> Result<(&'static str, Map<String, Value>)> {
    let (path, mut options) = match command {
        EnvCommand::List => ("env.list", Map::new()),
        EnvCommand::Show(args) => ("env.show", map(args)?),
        EnvCommand::Specs(args) => ("env.specs", map(args)?),
        EnvCommand::Status(args) => ("env.status", map(args)?),
        EnvCommand::Diff(args) => ("env.diff", map(args)?),
        EnvCommand::Create(args) => ("env.create", map(args)?),
        EnvCommand::Add(args) => ("env.add", map(args)?),
        EnvCommand::Remove(args) => ("env.remove", map(args)?),
        EnvCommand::Concretize(args) => ("env.concretize", map(args)?),
        EnvCommand::Install(args) => ("env.install", map(args)?),
        EnvCommand::Delete(args) => ("env.delete", map(args)?),
    };
    if command.reuses() {
        options.insert(String::from("fresh"), false.into());
    }
    if matches!(command, EnvCommand::Create(args) if args.without_view) {
        options.insert(String::from("view"), false.into());
    }
    Ok((path, options))
}

/// What was given; an option that was not stays with the primitive's default.
fn map(args: &impl Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(args) {
        Ok(Value::Object(mut map)) => {
            map.retain(|_, v| !v.is_null());
            Ok(map)
        }
        _ => Err(Trouble::new(Kind::Internal, "the command's arguments are no table")),
    }
}

/// Asks on a terminal; where nobody can answer, refuses.
fn confirm(session: &Session, question: &str) -> Result<()> {
    let refused =
        |message: &str| Err(Trouble::new(Kind::Refused, message).hint("--yes goes on without asking"));
    if session.printer.json || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return refused("this needs a confirmation, and nobody can be asked");
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{} [y/N] ", plain(question)).and_then(|()| stderr.flush());
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { refused("not confirmed") }
}

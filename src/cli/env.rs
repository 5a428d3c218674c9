//! `env …`: the primitives of the module of that name, with the same verbs.

use serde_json::{Map, Value, json};

use super::args::EnvCommand;
use super::call::{primitive, to_value};
use super::setup::Session;
use crate::base::Result;

pub async fn env(session: &Session, command: &EnvCommand) -> Result<u8> {
    let (path, options) = call_of(command);
    let reply = primitive(session, path, options).await?;
    let value = to_value(path, &*reply)?;
    // What needs attention: roots that are not installed, locks that are not current.
    let attention =
        matches!(command, EnvCommand::Status { .. }) && value.get("ok") == Some(&Value::Bool(false));
    match command {
        EnvCommand::Status { .. } if !session.printer.json => {
            session.printer.value(value.get("roots").unwrap_or(&Value::Null))?;
        }
        _ => session.printer.give(&value)?,
    }
    Ok(u8::from(attention))
}

fn call_of(command: &EnvCommand) -> (&'static str, Map<String, Value>) {
    let (path, options) = match command {
        EnvCommand::List => ("env.list", json!({})),
        EnvCommand::Show { name } => ("env.show", json!({ "name": name })),
        EnvCommand::Specs { name, roots } => ("env.specs", json!({ "name": name, "roots": roots })),
        EnvCommand::Status { name } => ("env.status", json!({ "name": name })),
        EnvCommand::Diff { from, to } => ("env.diff", json!({ "from": from, "to": to })),
    };
    match options {
        Value::Object(mut map) => {
            map.retain(|_, v| !v.is_null());
            (path, map)
        }
        _ => (path, Map::new()),
    }
}

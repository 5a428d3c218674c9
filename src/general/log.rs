//! `log`: messages of a script, as events that the terminal and the run's log show.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::base::argument::Plain;
use crate::base::{Result, Trouble};
use crate::site::Cx;
use crate::world::Event;
use crate::world::scope::event::Level;

/// Tells the person who watches, and the log.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct LogArgs {
    /// What to say.
    message: String,
    /// Data that belongs to it: a table with names.
    #[serde(default)]
    fields: Plain,
}

fn tell(cx: &Cx, level: Level, args: LogArgs) -> Result<()> {
    let fields = match args.fields.0 {
        Value::Object(fields) => fields,
        Value::Null => serde_json::Map::new(),
        _ => return Err(Trouble::usage("'fields' must be a table with names")),
    };
    cx.world.tell(Event::Message { level, text: args.message, fields });
    Ok(())
}

pub async fn debug(cx: Cx, args: LogArgs) -> Result<()> {
    tell(&cx, Level::Debug, args)
}

pub async fn info(cx: Cx, args: LogArgs) -> Result<()> {
    tell(&cx, Level::Info, args)
}

pub async fn warn(cx: Cx, args: LogArgs) -> Result<()> {
    tell(&cx, Level::Warn, args)
}

pub async fn error(cx: Cx, args: LogArgs) -> Result<()> {
    tell(&cx, Level::Error, args)
}

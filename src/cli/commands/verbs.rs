//! Calls the primitive that a verb is, and prints what it gives.

use std::path::Path;

use serde_json::{Map, Value};

use super::call::{code_of, primitive, to_value};
use crate::base::{Kind, Result, Trouble};
use crate::cli::args::verbs::VerbCall;
use crate::cli::session::Session;
use crate::script::host::Uncompiled;
use crate::script::value as lua_value;
use crate::script::value::error;
use crate::world::Action;
use crate::world::fs::replace::replaces_only;

/// How each of our pages ends.
const PAGE: &[u8] = b"<footer>Made by moonstack.</footer>\n</body>\n</html>\n";

/// Calls it and prints what it gives.
pub async fn run(session: &Session, call: &VerbCall) -> Result<u8> {
    let declared = session.registry.get(&call.path)?;
    let reply = primitive(session, declared.path, call.arguments.clone()?).await?;
    let value = to_value(declared.path, &*reply)?;
    if let Some(file) = &call.html {
        write_page(session, file, &title(call), &value).await?;
    }
    session.printer.give(&value)?;
    Ok(code_of(&value))
}

/// What was asked for, as it was typed.
fn title(call: &VerbCall) -> String {
    let given = call.arguments.iter().flat_map(Map::values).map(|value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    std::iter::once(call.path.replace('.', " ")).chain(given).collect::<Vec<_>>().join(" ")
}

/// Scripts make the same page with `report.diff_html`.
async fn write_page(session: &Session, file: &Path, title: &str, diff: &Value) -> Result<()> {
    let host = session.host(None)?;
    let function =
        host.compile_line("html", "require('report').diff_html(...)").map_err(Uncompiled::into_trouble)?;
    let to_lua = |value: &Value| lua_value::to_lua(host.lua(), value).map_err(|e| error::from_error(&e));
    let mut given = vec![to_lua(diff)?];
    // The two sides of a whole comparison have names of their own.
    if diff.is_array() {
        given.push(to_lua(&serde_json::json!({ "title": title }))?);
    }
    let made = host.call(&session.scope, function, given.into_iter().collect()).await?;
    let page = made.front().map(|page| lua_value::to_json(host.lua(), page));
    let Some(Value::String(page)) = page else {
        return Err(Trouble::new(Kind::Internal, "the page is no text"));
    };
    let path = std::path::absolute(file).map_err(|e| Trouble::io("find", file, e))?;
    replaces_only(&*session.cx.world.eyes, &path, "no page of moonstack", &|there| there.ends_with(PAGE))?;
    session.cx.world.keep(Action::output(path, page.into_bytes())).await.map(drop)
}

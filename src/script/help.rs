//! `help(x)` in scripts and sessions: from a value or a name to the text of the reference.

use std::rc::Rc;

use mlua::{Function, Lua, Result as LuaResult, Table, Value};

use super::loader::{Loader, MODULES, documented};
use super::module;
use super::workflow::Workflow;
use crate::api::Registry;
use crate::base::{Result, Trouble, chunk_names};
use crate::reference::LuaText;
use crate::reference::help::{Library, lua_function};
use crate::reference::lua_docs::LuaDocs;
use crate::script::module::Print;
use crate::script::value::error::raise;

/// Binds `help`.
pub fn install(lua: &Lua, registry: &Rc<Registry>, loader: &Loader, print: Print) -> LuaResult<()> {
    let (registry, loader) = (Rc::clone(registry), loader.clone());
    let help = lua.create_function(move |lua, what: Option<Value>| {
        let text = match what {
            None | Some(Value::Nil) => with_library(&registry, &loader, |library| Ok(library.index())),
            Some(Value::String(name)) => about(&registry, &loader, &name.to_string_lossy()),
            Some(Value::Function(function)) => of_function(lua, &registry, &loader, &function),
            Some(Value::Table(table)) => of_table(lua, &registry, &loader, &table),
            Some(other) => Err(Trouble::usage(format!(
                "help takes a function, a module or a name, not a {}",
                other.type_name()
            ))),
        };
        text.and_then(|text| print(text.trim_end())).map_err(raise)
    })?;
    lua.globals().raw_set("help", help)
}

/// Help for a name.
pub fn about(registry: &Registry, loader: &Loader, name: &str) -> Result<String> {
    with_library(registry, loader, |library| library.about(name))
}

/// Every name that has help.
pub fn topics(registry: &Registry, loader: &Loader) -> Vec<String> {
    with_library(registry, loader, |library| Ok(library.names())).unwrap_or_default()
}

/// Gives the registry together with the Lua texts that can be found.
pub fn with_library<T>(
    registry: &Registry,
    loader: &Loader,
    work: impl FnOnce(&Library) -> Result<T>,
) -> Result<T> {
    let scripts: Vec<(String, String)> = loader
        .names()
        .into_iter()
        .filter_map(|name| {
            let source = loader.script(&name).ok()?;
            Some((name, String::from_utf8_lossy(&source.text).into_owned()))
        })
        .collect();
    work(&Library {
        registry,
        modules: documented().map(|m| LuaText { name: m.name, text: m.text }).collect(),
        workflows: scripts.iter().map(|(name, text)| LuaText { name, text }).collect(),
    })
}

/// The declared path of a function value.
pub fn path_of(lua: &Lua, registry: &Registry, function: &Function) -> Option<String> {
    let globals = lua.globals();
    let within = |table: &Table, name: &str| matches!(table.raw_get::<Value>(name), Ok(Value::Function(f)) if &f == function);
    for name in registry.modules() {
        let Ok(Some(table)) = globals.raw_get::<Option<Table>>(name) else { continue };
        let Some(made) = module::functions(&table) else { continue };
        if let Some(function) = registry.names(name).into_iter().find(|function| within(&made, function)) {
            return Some(format!("{name}.{function}"));
        }
    }
    registry.handmade().iter().find(|h| within(&globals, h.path)).map(|h| h.path.to_owned())
}

fn of_function(lua: &Lua, registry: &Registry, loader: &Loader, function: &Function) -> Result<String> {
    if let Some(path) = path_of(lua, registry, function) {
        return about(registry, loader, &path);
    }
    let info = function.info();
    let chunk = info.source.as_deref().and_then(|s| s.strip_prefix('@')).unwrap_or_default();
    let docs = loader.text_of(chunk).zip(info.line_defined).and_then(|(text, line)| LuaDocs::at(&text, line));
    match docs {
        Some(docs) => Ok(lua_function(&docs, &docs.name)),
        None => Err(Trouble::usage("this function has no documentation").hint("help() lists everything")),
    }
}

fn of_table(lua: &Lua, registry: &Registry, loader: &Loader, table: &Table) -> Result<String> {
    let name = table.metatable().and_then(|m| m.raw_get::<Option<String>>("__name").ok().flatten());
    match name.as_deref() {
        Some("workflow") => {
            let mut command = Workflow::read(table)?.command();
            return Ok(command.render_help().to_string());
        }
        Some(module) if registry.modules().contains(&module) => return about(registry, loader, module),
        _ => {}
    }
    let module = MODULES.iter().find(|m| holds(lua, table, &chunk_names::chunk(m.name)));
    match module {
        Some(module) => about(registry, loader, module.name),
        None => {
            Err(Trouble::usage("this table is not a module with documentation")
                .hint("help() lists everything"))
        }
    }
}

/// Whether a function of the table comes from that file.
fn holds(_: &Lua, table: &Table, source: &str) -> bool {
    table
        .pairs::<Value, Value>()
        .flatten()
        .any(|(_, value)| matches!(value, Value::Function(f) if f.info().source.as_deref() == Some(source)))
}

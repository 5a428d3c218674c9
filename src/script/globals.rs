//! The names that a script finds without a module: an unknown one is refused with the nearest, and none is made by a
//! slip.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, Result as LuaResult, Table, Value};

use super::module;
use crate::api::Registry;
use crate::base::Trouble;
use crate::script::value::error::raise;

/// What the prelude asks before a global is read that is not there, and before one is assigned.
pub fn rules(lua: &Lua, host: &Table, registry: &Rc<Registry>, allow: &Rc<Cell<bool>>) -> LuaResult<()> {
    let names = Rc::clone(registry);
    host.raw_set(
        "unknown_global",
        lua.create_function(move |lua, name: Value| -> LuaResult<()> {
            let name = name.to_string().unwrap_or_default();
            let known: Vec<String> =
                lua.globals().pairs::<String, Value>().flatten().map(|(k, _)| k).collect();
            // A function's own name says more than a global that is spelt nearly the same.
            let owner = names.modules().into_iter().find(|m| names.names(m).contains(&name.as_str()));
            if let Some(module) = owner {
                let path = format!("{module}.{name}");
                return Err(raise(
                    Trouble::unknown("global", &name, []).hint(format!("did you mean '{path}'?")),
                ));
            }
            let mut trouble = Trouble::unknown("global", &name, known.iter().map(String::as_str));
            if name == "io" {
                trouble = trouble.hint("files are read and written with fs.*, programs run with process.run");
            }
            Err(raise(trouble))
        })?,
    )?;
    let allow = Rc::clone(allow);
    host.raw_set(
        "may_assign",
        lua.create_function(move |_, name: Value| {
            if allow.get() {
                return Ok(true);
            }
            let name = name.to_string().unwrap_or_default();
            Err(raise(
                Trouble::usage(format!("'{name}' is assigned, but was not declared"))
                    .hint(format!("write: local {name} = …")),
            ))
        })?,
    )
}

/// A module over functions that are there already; unknown names are refused with the nearest.
pub fn strict_module(lua: &Lua, (name, functions): (String, Table)) -> LuaResult<Table> {
    let label = format!("{name}: function");
    let missing = lua.create_function(move |_, (made, key): (Table, Value)| -> LuaResult<Value> {
        let key = key.to_string().unwrap_or_default();
        let known: Vec<String> = made.pairs::<String, Value>().flatten().map(|(k, _)| k).collect();
        Err(raise(Trouble::unknown(&label, &key, known.iter().map(String::as_str))))
    })?;
    module::read_only(lua, &name, &functions, missing)
}

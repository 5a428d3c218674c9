//! The tables that scripts see as modules. They are empty, so that nothing is ever assigned over: the functions
//! stand in a second table behind `__index`, which asks for what it does not have yet and otherwise costs nothing.

use std::rc::Rc;

use mlua::{Function, Lua, Result, Table, Value};

use crate::base::Trouble;
use crate::script::value::error::raise;

/// Where `print` writes.
pub type Print = Rc<dyn Fn(&str) -> crate::base::Result<()>>;

/// A module over a table of functions; `missing` is called with that table and the name that it does not have.
pub fn read_only(lua: &Lua, name: &str, functions: &Table, missing: Function) -> Result<Table> {
    let behind = lua.create_table()?;
    behind.raw_set("__index", missing)?;
    functions.set_metatable(Some(behind))?;
    let meta = lua.create_table()?;
    meta.raw_set("__index", functions)?;
    let module = name.to_owned();
    meta.raw_set(
        "__newindex",
        lua.create_function(move |_, (_, key, _): (Table, Value, Value)| -> Result<()> {
            let key = key.to_string().unwrap_or_default();
            Err(raise(
                Trouble::usage(format!("{module}.{key} cannot be assigned: modules are read only"))
                    .hint(format!("keep it under a name of its own: local {key} = …")),
            ))
        })?,
    )?;
    meta.raw_set("__name", name)?;
    // Neither the functions nor the refusal can be had, let alone exchanged.
    meta.raw_set("__metatable", false)?;
    let table = lua.create_table()?;
    table.set_metatable(Some(meta))?;
    Ok(table)
}

/// The functions of a module that have been made.
pub fn functions(module: &Table) -> Option<Table> {
    module.metatable()?.raw_get("__index").ok()
}

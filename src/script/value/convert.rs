//! Lua values as JSON and back, and the one place that sets how `nil` and lists are written.

use mlua::serde::{DeserializeOptions, SerializeOptions};
use mlua::{Lua, LuaSerdeExt as _, Result, Value};

/// `None` becomes `nil` (the default is a null that is *true* in Lua); lists keep their metatable, so that an
/// empty one stays a list.
pub fn options() -> SerializeOptions {
    SerializeOptions::new()
        .serialize_none_to_null(false)
        .serialize_unit_to_null(false)
        .set_array_metatable(true)
}

/// How arguments are read: names sorted, because a Lua table has no order.
pub fn arguments() -> DeserializeOptions {
    DeserializeOptions::new().sort_keys(true)
}

/// A reply of a primitive as a Lua value.
pub fn to_lua(lua: &Lua, value: &dyn erased_serde::Serialize) -> Result<Value> {
    lua.to_value_with(value, options())
}

/// The same; with `nulls`, a null within it is Lua's null and not nothing. What is not given at all stays `nil`.
pub fn to_lua_as(lua: &Lua, value: &dyn erased_serde::Serialize, nulls: bool) -> Result<Value> {
    lua.to_value_with(value, options().serialize_unit_to_null(nulls))
}

/// A Lua value as JSON, for printing and `--json`. What JSON cannot say becomes its text.
pub fn to_json(lua: &Lua, value: &Value) -> serde_json::Value {
    to_whole_json(lua, value).unwrap_or_else(|trouble| trouble.message().into())
}

/// The same, but what is too deep or too large to be written is an error.
pub fn to_whole_json(lua: &Lua, value: &Value) -> crate::base::Result<serde_json::Value> {
    if let Value::Table(table) = value {
        super::extent::is_mixed(table)?;
    }
    let options = DeserializeOptions::new()
        .sort_keys(true)
        .deny_unsupported_types(false)
        .deny_recursive_tables(false)
        .encode_empty_tables_as_array(false);
    Ok(match value {
        Value::Error(e) => super::error::from_error(e).to_json(),
        Value::String(text) => serde_json::Value::String(text.to_string_lossy()),
        Value::Function(_) | Value::Thread(_) | Value::UserData(_) => {
            value.to_string().unwrap_or_default().into()
        }
        _ => lua
            .from_value_with(value.clone(), options)
            .unwrap_or_else(|_| value.to_string().unwrap_or_default().into()),
    })
}

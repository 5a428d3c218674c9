//! Lua values as JSON and back, and the one place that sets how `nil` and lists are written.

use std::ffi::c_void;

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

/// JSON that is nested deeper than this is not read.
const DEEPEST: usize = 120;

/// Whether a value is the same once it was written as JSON and read again.
pub fn is_lasting(value: &Value) -> bool {
    fn look(value: &Value, above: &mut Vec<*const c_void>) -> bool {
        match value {
            Value::Nil | Value::Boolean(_) | Value::Integer(_) => true,
            Value::Number(number) => number.is_finite(),
            Value::String(text) => text.to_str().is_ok(),
            Value::Table(table) => {
                let place = table.to_pointer();
                // One that holds itself, or that is too deep for JSON to be read again.
                if above.len() >= DEEPEST || above.contains(&place) {
                    return false;
                }
                above.push(place);
                let (items, mut numbers) = (table.raw_len(), 0);
                let lasting = table.pairs::<Value, Value>().flatten().all(|(key, value)| {
                    let named = match &key {
                        Value::String(name) => items == 0 && name.to_str().is_ok(),
                        Value::Integer(_) => {
                            numbers += 1;
                            true
                        }
                        _ => false,
                    };
                    named && look(&value, above)
                });
                above.pop();
                lasting && numbers == items
            }
            _ => false,
        }
    }
    look(value, &mut Vec::new())
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

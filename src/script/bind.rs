//! The registry as lazy Lua modules: a function is made when it is first used, and an unknown name is refused
//! with the nearest.

use std::rc::Rc;
use std::sync::Arc;

use mlua::{Function, Lua, LuaSerdeExt as _, MultiValue, Result, Table, Value};

use super::pulse::Pulse;
use super::value::fields::Fields;
use super::{module, task, value};
use crate::api::Registry;
use crate::api::gather::{FieldKind, Shape};
use crate::api::perform::{self, Next};
use crate::base::{Kind, Trouble, chunk_names};
use crate::script::value::error::raise;
use crate::site::Cx;
use crate::world::Effect;
use crate::world::scope::cancel::Cancel;

/// Lists that are longer are not kept for a resumed run.
const LONGEST_LIST: usize = 200;

/// Puts a table for each module into the globals.
pub fn install(lua: &Lua, registry: &Rc<Registry>, cx: &Cx, pulse: &Arc<Pulse>) -> Result<()> {
    let globals = lua.globals();
    for name in registry.modules() {
        let owner = Rc::clone(registry);
        let context = cx.clone();
        let pulse = Arc::clone(pulse);
        let missing = lua.create_function(move |lua, (made, key): (Table, Value)| {
            let Value::String(word) = &key else { return Ok(Value::Nil) };
            let word = word.to_string_lossy();
            let Some(index) = owner.position(&format!("{name}.{word}")) else {
                return Err(raise(Trouble::unknown(&format!("{name}: function"), &word, owner.names(name))));
            };
            let function = function(lua, &owner, index, &context, &pulse)?;
            made.raw_set(key, function.clone())?;
            Ok(Value::Function(function))
        })?;
        globals.raw_set(name, module::read_only(lua, name, &lua.create_table()?, missing)?)?;
    }
    Ok(())
}

fn function(
    lua: &Lua,
    registry: &Rc<Registry>,
    index: usize,
    cx: &Cx,
    pulse: &Arc<Pulse>,
) -> Result<Function> {
    let (registry, cx, pulse) = (Rc::clone(registry), cx.clone(), Arc::clone(pulse));
    let (shape, fields) = match registry.at(index) {
        Some(primitive) => (
            Rc::new(Shape::of(&(primitive.args)())),
            Rc::new(Fields::of(lua, primitive.path, (primitive.result)().as_value())?),
        ),
        None => return Err(raise(Trouble::new(Kind::Internal, "registry index"))),
    };
    lua.create_async_function(move |lua, arguments: MultiValue| {
        let (registry, cx, shape) = (Rc::clone(&registry), cx.clone(), Rc::clone(&shape));
        let (fields, pulse) = (Rc::clone(&fields), Arc::clone(&pulse));
        let guarded = move |value: Value| fields.guard(&value).map(|()| value);
        async move {
            let Some(primitive) = registry.at(index) else {
                return Err(raise(Trouble::new(Kind::Internal, "registry index")));
            };
            let scope = Cancel::current().unwrap_or_default();
            if scope.is_cancelled() {
                return Err(raise(Trouble::cancelled()));
            }
            if task::recalls() && (primitive.path == "time.sleep" || primitive.path.starts_with("log.")) {
                return Ok(Value::Nil);
            }
            let table = gather(&lua, primitive.path, primitive.positional, &shape, arguments)?;
            let next = (primitive.effect == Effect::Changes).then(|| {
                let arguments = value::to_json(&lua, &Value::Table(table.clone()));
                perform::next(&cx, primitive.path, &arguments, here(&lua))
            });
            if let Some(Next::Known(known)) = &next {
                return value::to_lua(&lua, known).and_then(guarded);
            }
            let arguments = || value::to_json(&lua, &Value::Table(table.clone()));
            let look = match primitive.effect {
                Effect::Changes => None,
                Effect::Reads => perform::look(&cx, primitive.path, arguments),
            };
            let look = match look {
                Some(Ok(known)) => {
                    let known = perform::recalled(&known).map_err(raise)?;
                    return value::to_lua_as(&lua, &known, primitive.keeps_nulls).and_then(guarded);
                }
                Some(Err(look)) => Some(look),
                None => None,
            };
            let deserializer =
                mlua::serde::Deserializer::new_with_options(Value::Table(table), value::arguments());
            let work =
                (primitive.call)(cx.clone(), &mut <dyn erased_serde::Deserializer<'_>>::erase(deserializer))
                    .map_err(|t| raise(t.about(primitive.path)))?;
            let reply = match next {
                Some(Next::Make(call)) => pulse.other(scope.guard(perform::make(&cx, call, work))).await,
                _ => pulse.other(scope.guard(work)).await,
            };
            let given = match &reply {
                Ok(reply) => value::to_lua_as(&lua, &**reply, primitive.keeps_nulls),
                Err(trouble) => Err(raise(trouble.clone())),
            };
            if let Some(look) = look {
                match (&given, &reply) {
                    // A long list is looked at again; to keep it would cost more than it may save.
                    (Ok(Value::Table(list)), _) if list.raw_len() > LONGEST_LIST => {}
                    (Ok(value), _) => perform::looked(look, Ok(value::to_json(&lua, value))),
                    (_, Err(trouble)) => perform::looked(look, Err(trouble)),
                    _ => {}
                }
            }
            given.and_then(guarded)
        }
    })
}

/// The script line that is being run.
fn here(lua: &Lua) -> Option<String> {
    (1..12).find_map(|level| {
        lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let file = source.source.as_deref()?.strip_prefix('@')?.to_owned();
            if chunk_names::is_ours(&file) {
                return None;
            }
            debug.current_line().map(|line| format!("{file}:{line}"))
        })
        .flatten()
    })
}

/// Positional arguments first, then at most one table of options, merged into one table with names.
pub fn gather(
    lua: &Lua,
    path: &str,
    positional: &[&str],
    shape: &Shape,
    mut arguments: MultiValue,
) -> Result<Table> {
    let out = lua.create_table()?;
    let mut given = 0;
    for name in positional {
        if arguments.len() == 1 && is_options(&arguments[0], shape, name) {
            break;
        }
        let Some(value) = arguments.pop_front() else { break };
        given += 1;
        put(lua, &out, path, shape, name, value)?;
    }
    match (arguments.pop_front(), arguments.is_empty()) {
        (None | Some(Value::Nil), true) => {}
        (Some(Value::Table(options)), true) => {
            for pair in options.pairs::<Value, Value>() {
                let (key, value) = pair?;
                let Value::String(key) = key else {
                    return Err(raise(Trouble::usage(format!(
                        "{path}: the options must be a table with names, not a list"
                    ))));
                };
                let key = key.to_string_lossy();
                shape.known(path, &key).map_err(raise)?;
                if out.contains_key(key.as_str())? {
                    return Err(raise(Trouble::usage(format!("{path}: '{key}' is given twice"))));
                }
                put(lua, &out, path, shape, &key, value)?;
            }
        }
        (Some(extra), true) => {
            let trouble = Trouble::usage(format!(
                "{path}: argument {} must be a table of options, not a {}",
                given + 1,
                extra.type_name()
            ));
            return Err(raise(trouble));
        }
        _ => {
            let names = positional.join(", ");
            let trouble = Trouble::usage(format!("{path}: too many arguments"))
                .hint(format!("{path}({names}{}{{ options }})", if names.is_empty() { "" } else { ", " }));
            return Err(raise(trouble));
        }
    }
    shape.complete(path, |name| out.contains_key(name).unwrap_or(false)).map_err(raise)?;
    Ok(out)
}

/// A lone table where a positional argument could stand: options, unless that argument is itself a table.
fn is_options(value: &Value, shape: &Shape, name: &str) -> bool {
    let Value::Table(table) = value else { return false };
    shape.field(name).is_none_or(|field| cannot_be(table, &field.kind, shape, name))
}

/// Whether a table cannot be meant as a value of this kind.
fn cannot_be(table: &Table, kind: &FieldKind, shape: &Shape, name: &str) -> bool {
    match kind {
        FieldKind::Text | FieldKind::Number | FieldKind::Integer | FieldKind::Flag | FieldKind::OneOf(_) => {
            true
        }
        FieldKind::List(_) => table.raw_len() == 0 && !table.is_empty(),
        FieldKind::Either(kinds) => kinds.iter().all(|kind| cannot_be(table, kind, shape, name)),
        // What may be any table is the value: `json.encode{ value = 1 }` must not lose its name.
        FieldKind::Table | FieldKind::Any => false,
        FieldKind::Named(definition) => match shape.definitions.get(definition).map(FieldKind::of) {
            Some(
                kind @ (FieldKind::Either(_) | FieldKind::OneOf(_) | FieldKind::List(_) | FieldKind::Text),
            ) => cannot_be(table, &kind, shape, name),
            // A table of a named type: options only if every name in it is one.
            _ => table.contains_key(name).unwrap_or(false)
                && table.pairs::<Value, Value>().flatten().all(
                    |(k, _)| matches!(&k, Value::String(s) if shape.field(&s.to_string_lossy()).is_some()),
                ),
        },
    }
}

fn put(lua: &Lua, out: &Table, path: &str, shape: &Shape, name: &str, value: Value) -> Result<()> {
    if value.is_nil() {
        return Ok(());
    }
    let field = shape.known(path, name).map_err(raise)?;
    if let Value::Table(table) = &value {
        let mixed =
            value::extent::is_mixed(table).map_err(|t| raise(t.about(format!("{path}: '{name}'"))))?;
        if field.kind.is_list() && (mixed || table.raw_len() == 0 && !table.is_empty()) {
            return Err(raise(field.list_wanted(path)));
        }
        if mixed {
            return Err(raise(Trouble::usage(format!(
                "{path}: '{name}' has a list with names or gaps among its items"
            ))));
        }
        if field.kind.is_list() && table.is_empty() {
            // An empty table says nothing of what it is, and what is read by way of a buffer is taken for a map.
            let list = lua.create_table()?;
            list.set_metatable(Some(lua.array_metatable()))?;
            return out.raw_set(name, list);
        }
    }
    if let Value::Function(_) | Value::Thread(_) | Value::UserData(_) = value {
        return Err(raise(Trouble::usage(format!("{path}: '{name}' cannot be a {}", value.type_name()))));
    }
    out.raw_set(name, value)
}

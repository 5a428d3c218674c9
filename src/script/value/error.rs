//! `Trouble` as a Lua value. A Rust error arrives in Lua as userdata without fields; here its metatable learns
//! `e.kind`, `e.message`, `e.hint`, `e.hints`, `e.facts`, `e.where`, `e.retry`, and the same object comes back.

use mlua::{Error, Lua, LuaSerdeExt as _, Result, Value};

use super::convert;
use crate::base::trouble::Place;
use crate::base::{Kind, Trouble, chunk_names};

/// A trouble on its way into Lua.
pub fn raise(trouble: Trouble) -> Error {
    Error::external(trouble)
}

/// The trouble inside an mlua error, however deeply it was wrapped on its way.
pub fn find(error: &Error) -> Option<&Trouble> {
    match error {
        Error::ExternalError(inner) => inner.downcast_ref::<Trouble>(),
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => find(cause),
        _ => None,
    }
}

/// Gives mlua's error userdata readable fields.
pub fn install(lua: &Lua) -> Result<()> {
    let metatable = metatable(lua)?;
    let index = lua.create_function(|lua, (error, key): (Value, String)| {
        let Value::Error(error) = error else { return Ok(Value::Nil) };
        let trouble = from_error(&error);
        match key.as_str() {
            "kind" => lua.create_string(trouble.kind().name()).map(Value::String),
            "message" => lua.create_string(trouble.message()).map(Value::String),
            "hint" => {
                trouble.hints().first().map_or(Ok(Value::Nil), |h| lua.create_string(h).map(Value::String))
            }
            "hints" => lua.to_value(trouble.hints()),
            "facts" => lua.to_value_with(trouble.facts(), convert::options()),
            "retry" => Ok(Value::Boolean(trouble.retry())),
            "where" => match trouble.place() {
                Some(place) => lua.create_string(format!("{}:{}", place.file, place.line)).map(Value::String),
                None => Ok(Value::Nil),
            },
            _ => Err(raise(Trouble::unknown(
                "error field",
                &key,
                ["kind", "message", "hint", "hints", "facts", "retry", "where"],
            ))),
        }
    })?;
    metatable.raw_set("__index", index)?;
    // mlua's own text repeats "runtime error" and the traceback; people get the message.
    let tostring = lua.create_function(|_, error: Value| match error {
        Value::Error(error) => Ok(from_error(&error).to_string()),
        _ => Ok(String::from("error")),
    })?;
    metatable.raw_set("__tostring", tostring)
}

/// The metatable that all Rust errors share in this machine.
#[allow(unsafe_code)]
fn metatable(lua: &Lua) -> Result<mlua::Table> {
    let sample = Value::Error(Box::new(Error::external(Trouble::cancelled())));
    // SAFETY: the one argument is on the stack; the call replaces it by its metatable, or by nil, and
    // leaves exactly one value, which is what `exec_raw` returns.
    unsafe {
        lua.exec_raw(sample, |state| {
            if mlua::ffi::lua_getmetatable(state, -1) == 0 {
                mlua::ffi::lua_pushnil(state);
            }
            mlua::ffi::lua_remove(state, -2);
        })
    }
}

/// What a Lua error value says, whatever it is.
pub fn from_value(lua: &Lua, error: &Value) -> Trouble {
    match error {
        Value::Error(error) => from_error(error),
        Value::Table(table) => from_table(lua, table),
        Value::String(text) => from_text(&text.to_string_lossy()),
        other => Trouble::new(Kind::Script, format!("a script raised a {}", other.type_name())),
    }
}

/// What an mlua error says.
pub fn from_error(error: &Error) -> Trouble {
    let traceback = traceback(error);
    let mut trouble = match find(error) {
        Some(trouble) => trouble.clone(),
        None => foreign(error),
    };
    if let Some(traceback) = traceback {
        if trouble.place().is_none()
            && let Some(place) = first_lua_frame(traceback)
        {
            trouble = trouble.at(place);
        }
        if trouble.traceback().is_none() {
            trouble = trouble.with_traceback(traceback);
        }
    }
    trouble
}

fn traceback(error: &Error) -> Option<&str> {
    match error {
        Error::CallbackError { traceback, cause } => traceback_of(cause).or(Some(traceback)),
        Error::WithContext { cause, .. } => traceback(cause),
        _ => None,
    }
}

fn traceback_of(cause: &Error) -> Option<&str> {
    traceback(cause)
}

/// Errors that are not ours: mlua's own.
fn foreign(error: &Error) -> Trouble {
    match error {
        Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => foreign(cause),
        Error::SyntaxError { message, .. } => {
            from_text(message).hint("the script does not parse; nothing was run")
        }
        Error::RuntimeError(message) => from_text(message),
        Error::MemoryError(_) => out_of_memory(),
        Error::FromLuaConversionError { from, to, message } => Trouble::usage(format!(
            "expected {to}, got {from}{}",
            message.as_ref().map(|m| format!(": {m}")).unwrap_or_default()
        )),
        Error::BadArgument { to, pos, name, cause } => {
            let function = to.as_deref().unwrap_or("function");
            let argument = name.clone().unwrap_or_else(|| format!("argument {pos}"));
            Trouble::usage(format!("{function}: {argument}: {}", foreign(cause).message()))
        }
        other => Trouble::new(Kind::Script, other.to_string()),
    }
}

/// What Lua says, without a place, when it gets no more memory.
const LUA_OUT_OF_MEMORY: &str = "not enough memory";

fn out_of_memory() -> Trouble {
    Trouble::new(Kind::Limit, "the script needs more memory than it may have")
        .hint("`limits.memory` of the site file sets the limit; without it there is 1 GiB")
}

/// `file:line: message` as Lua writes it; the traceback that follows is left off the message.
fn from_text(text: &str) -> Trouble {
    if text == LUA_OUT_OF_MEMORY {
        return out_of_memory();
    }
    let (text, traceback) = match text.split_once("\nstack traceback:") {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    };
    let mut trouble = match place_prefix(text) {
        Some((place, rest)) => Trouble::new(Kind::Script, rest).at(place),
        None => Trouble::new(Kind::Script, text),
    };
    if let Some(traceback) = traceback {
        trouble = trouble.with_traceback(format!("stack traceback:{traceback}"));
    }
    trouble
}

fn place_prefix(text: &str) -> Option<(Place, &str)> {
    let first = text.lines().next()?;
    let mut from = 0;
    while let Some(colon) = first[from..].find(':').map(|i| i + from) {
        let digits = first[colon + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = colon + 1 + digits;
        if digits > 0 && first[end..].starts_with(": ") {
            let file = chunk_name(&first[..colon]);
            let line = first[colon + 1..end].parse().ok()?;
            return Some((Place { file, line, column: 0 }, &text[end + 2..]));
        }
        from = colon + 1;
    }
    None
}

fn chunk_name(text: &str) -> String {
    text.strip_prefix("[string \"").and_then(|t| t.strip_suffix("\"]")).unwrap_or(text).to_owned()
}

/// The innermost frame of the traceback that is a script's.
pub fn first_lua_frame(traceback: &str) -> Option<Place> {
    traceback.lines().map(str::trim).filter(|l| !l.starts_with("[C]") && !l.starts_with('=')).find_map(
        |line| {
            let (place, _) = place_prefix(line)?;
            let ours = chunk_names::is_ours(&place.file) || place.file.starts_with("__mlua");
            (!ours && place.file != "stack traceback").then_some(place)
        },
    )
}

/// The line of a frame that is a script's own.
pub fn script_line(debug: &mlua::debug::Debug) -> Option<Place> {
    let file = debug.source().source.as_deref()?.strip_prefix('@')?.to_owned();
    let line = u32::try_from(debug.current_line()?).ok()?;
    (!chunk_names::is_ours(&file)).then_some(Place { file, line, column: 0 })
}

/// `error{ kind = …, message = …, facts = … }`.
fn from_table(lua: &Lua, table: &mlua::Table) -> Trouble {
    let text = |key: &str| match table.raw_get::<Value>(key) {
        Ok(Value::String(s)) => Some(s.to_string_lossy()),
        _ => None,
    };
    let kind = text("kind").and_then(|k| Kind::named(&k)).unwrap_or(Kind::Script);
    let message =
        text("message").unwrap_or_else(|| String::from("a script raised a table without a message"));
    let mut trouble = Trouble::new(kind, message);
    if let Some(name) = text("kind").filter(|k| Kind::named(k).is_none()) {
        trouble = trouble.fact("kind", name);
    }
    if let Some(hint) = text("hint") {
        trouble = trouble.hint(hint);
    }
    if let Ok(Value::Table(facts)) = table.raw_get::<Value>("facts")
        && let serde_json::Value::Object(facts) = convert::to_json(lua, &Value::Table(facts))
    {
        for (key, value) in facts {
            trouble = trouble.fact(&key, value);
        }
    }
    trouble
}

/// What a script gives to `fail`: kind, message, facts, hint.
type Failing = (String, Option<String>, Option<mlua::Table>, Option<String>);

/// `fail(kind, message, facts, hint)`.
pub fn fail(lua: &Lua, (kind, message, facts, hint): Failing) -> Result<()> {
    let message = message.unwrap_or_else(|| kind.clone());
    let mut trouble = match Kind::named(&kind) {
        Some(known) => Trouble::new(known, message),
        None => Trouble::new(Kind::Script, message).fact("kind", kind),
    };
    if let Some(facts) = facts
        && let serde_json::Value::Object(facts) = convert::to_json(lua, &Value::Table(facts))
    {
        for (key, value) in facts {
            trouble = trouble.fact(&key, value);
        }
    }
    if let Some(hint) = hint {
        trouble = trouble.hint(hint);
    }
    // What a bundled module refuses is wrong where the script calls it.
    let place = (1..=16).map_while(|level| lua.inspect_stack(level, script_line)).flatten().next();
    if let Some(place) = place {
        trouble = trouble.at(place);
    }
    Err(raise(trouble))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_off_the_message() {
        let t = from_text("scripts/a.lua:12: attempt to call nil\nstack traceback:\n\t[C]: in ?");
        assert_eq!(t.message(), "attempt to call nil");
        assert_eq!(t.place().unwrap().line, 12);
        let t = from_text("[string \"eval\"]:1: unexpected symbol");
        assert_eq!(t.place().unwrap().file, "eval");
        assert!(from_text("no place: here").place().is_none());
        // A primitive in a tail call leaves no frame of the script's.
        let frames =
            "stack traceback:\n\t[C]: in ?\n\t__mlua_async_poll:5: in function <x>\n\ta.lua:7: in main chunk";
        assert_eq!(first_lua_frame(frames).map(|p| (p.file, p.line)), Some(("a.lua".to_owned(), 7)));
    }
}

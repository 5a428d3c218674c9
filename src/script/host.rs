//! The Lua machine: what is loaded into it, how a text is run, how it is stopped.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Function, Lua, LuaOptions, MultiValue, Result as LuaResult, StdLib, Table, Value};

use super::loader::{Loader, Source, check_text};
use super::pulse::Pulse;
use super::{bind, check, globals, help, interrupt, module, steps, task};
use crate::api::Registry;
use crate::base::{Kind, Result, Trouble, chunk_names, digest, words};
use crate::script::module::Print;
use crate::script::steps::Told;
use crate::script::value::error::{self, raise};
use crate::site::Cx;
use crate::world::scope::cancel::{Cancel, SHIELD_LIMIT};

/// What a machine begins with, in this order. What is declared by hand is placed with `host.place`.
const TEXTS: &[(&str, &str)] = &[
    ("cleanup", include_str!("lua/cleanup.lua")),
    ("prelude", include_str!("lua/prelude.lua")),
    ("check", include_str!("lua/check.lua")),
    ("run", include_str!("lua/run.lua")),
];

/// How long the compensations of a run may take together.
const UNDO_LIMIT: std::time::Duration = std::time::Duration::from_mins(2);

/// One machine, on one thread.
pub struct Host {
    lua: Lua,
    cx: Cx,
    registry: Rc<Registry>,
    loader: Loader,
    raw_xpcall: Function,
    handler: Function,
    /// The REPL lets a statement make globals; a script must say `local`.
    globals: Rc<Cell<bool>>,
    declared: Rc<std::cell::RefCell<Option<Table>>>,
    ending: steps::Ending,
    pulse: Arc<Pulse>,
}

impl Host {
    pub fn new(cx: Cx, registry: Rc<Registry>, loader: Loader, print: Print) -> Result<Host> {
        Host::build(cx, registry, loader, print).map_err(|e| error::from_error(&e))
    }

    fn build(cx: Cx, registry: Rc<Registry>, loader: Loader, print: Print) -> LuaResult<Host> {
        let libraries =
            StdLib::COROUTINE | StdLib::TABLE | StdLib::STRING | StdLib::UTF8 | StdLib::MATH | StdLib::OS;
        // Without `catch_rust_panics` mlua replaces `pcall` by one that nothing can yield through.
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(true))?;
        error::install(&lua)?;
        // What all strings share is nobody's to change.
        if let Some(strings) = lua.type_metatable::<mlua::LuaString>() {
            strings.raw_set("__metatable", false)?;
        }
        let globals = lua.globals();
        let raw_xpcall: Function = globals.raw_get("xpcall")?;
        let raw_pcall: Function = globals.raw_get("pcall")?;
        let allow_globals = Rc::new(Cell::new(false));
        let declared = Rc::new(std::cell::RefCell::new(None));
        lua.set_memory_limit(usize::try_from(cx.site.memory_limit()).unwrap_or(usize::MAX))?;
        let pulse = cx.keep(|_| Ok(Pulse::default())).map_err(raise)?;
        bind::install(&lua, &registry, &cx, &pulse)?;
        install_output(&lua, Rc::clone(&print))?;
        help::install(&lua, &registry, &loader, print)?;
        let host = host_table(&lua, &registry, &loader, &raw_pcall, &allow_globals, &declared, &cx)?;
        let ending = steps::install(&lua, &host, &cx, &loader, &raw_pcall)?;
        host.raw_set("look", interrupt::look(&lua)?)?;
        for (name, text) in TEXTS {
            lua.load(*text).set_name(chunk_names::chunk(name)).call::<()>(&host)?;
        }
        interrupt::install(&lua, Arc::clone(&pulse))?;
        let handler =
            lua.create_function(|lua, failed: Value| Ok(Value::Error(Box::new(annotate(lua, &failed)))))?;
        Ok(Host {
            lua,
            cx,
            registry,
            loader,
            raw_xpcall,
            handler,
            globals: allow_globals,
            declared,
            ending,
            pulse,
        })
    }

    pub fn lua(&self) -> &Lua {
        &self.lua
    }

    pub fn cx(&self) -> &Cx {
        &self.cx
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    /// Lets following texts assign globals, as a person at the prompt does.
    pub fn allow_globals(&self) {
        self.globals.set(true);
    }

    /// Compiles a text. `Err` with `incomplete` means that more lines may complete it.
    pub fn compile(&self, source: &Source) -> Result<Function, Uncompiled> {
        check_text(source).map_err(Uncompiled::Wrong)?;
        let text = match source.text.strip_prefix(b"#!") {
            // The line stays, so that line numbers do.
            Some(_) => [b"--".as_slice(), &source.text].concat(),
            None => source.text.clone(),
        };
        self.lua
            .load(text)
            .set_name(format!("@{}", source.name))
            .set_mode(mlua::chunk::ChunkMode::Text)
            .into_function()
            .map_err(|e| match e {
                mlua::Error::SyntaxError { incomplete_input: true, .. } => {
                    Uncompiled::Incomplete(error::from_error(&e))
                }
                e => Uncompiled::Wrong(error::from_error(&e)),
            })
    }

    /// An expression if it is one, else statements.
    pub fn compile_line(&self, name: &str, text: &str) -> Result<Function, Uncompiled> {
        let source = |text: String| Source { name: name.to_owned(), text: text.into_bytes() };
        if let Ok(function) = self.compile(&source(format!("return {text}"))) {
            return Ok(function);
        }
        self.compile(&source(text.to_owned()))
    }

    /// Calls a function as the main work of `scope`, under the protected call that lets cleanup wait.
    pub async fn call(
        &self,
        scope: &Cancel,
        function: Function,
        arguments: MultiValue,
    ) -> Result<MultiValue> {
        let mut call =
            MultiValue::from_vec(vec![Value::Function(function), Value::Function(self.handler.clone())]);
        call.extend(arguments);
        let work = scope.enter(self.raw_xpcall.call_async(call));
        let ended: LuaResult<MultiValue> = Arc::clone(&self.pulse).lua(scope, work).await;
        let mut values = ended.map_err(|e| error::from_error(&e))?;
        if let Some(Value::Boolean(true)) = values.pop_front() {
            Ok(values)
        } else {
            let failed = values.pop_front().unwrap_or(Value::Nil);
            let trouble = error::from_value(&self.lua, &failed);
            if trouble.is(Kind::Cancelled) && scope.past_deadline() {
                return Err(Trouble::new(Kind::Timeout, "the time limit of the script ran out")
                    .hint("--timeout sets it"));
            }
            Err(trouble)
        }
    }

    /// Compiles and runs a text.
    pub async fn run(&self, scope: &Cancel, source: &Source, arguments: MultiValue) -> Result<MultiValue> {
        let function = self.compile(source).map_err(Uncompiled::into_trouble)?;
        self.call(scope, function, arguments).await
    }

    /// What the failure of a step means for the others.
    pub fn on_fail(&self, mode: &str) -> Result<()> {
        self.ending.configure(mode).map_err(|e| error::from_error(&e))
    }

    /// Does what is left to be undone when the run is over, in a time of its own: also a run that was cancelled
    /// may take back what it did. Gives the steps that failed while the others went on, and what is not taken back.
    pub async fn finish(&self, ended_well: bool) -> Result<Told> {
        let scope = Cancel::root(Some(UNDO_LIMIT));
        let Some(finish) = self.ending.finish() else { return Ok(Told::default()) };
        let arguments = MultiValue::from_vec(vec![Value::Boolean(ended_well)]);
        let mut values = self.call(&scope, finish, arguments).await?;
        let Some(Value::Table(failures)) = values.pop_front() else { return Ok(self.ending.told()) };
        let failure = |row: Table| {
            let failed: Value = row.raw_get("failed")?;
            Ok((row.raw_get("name")?, error::from_value(&self.lua, &failed)))
        };
        let failed: LuaResult<Vec<(String, Trouble)>> =
            failures.sequence_values::<Table>().map(|row| failure(row?)).collect();
        let failed = failed.map_err(|e| error::from_error(&e))?;
        Ok(Told { failed, not_undone: self.ending.told().not_undone })
    }

    /// The step whose failure ended the run.
    pub fn failed_step(&self) -> Option<(String, Trouble)> {
        self.ending.told().failed.pop()
    }

    /// Whether a value is what `workflow{…}` gave.
    pub fn is_workflow(&self, value: &Value) -> bool {
        match (value, self.declared.borrow().as_ref()) {
            (Value::Table(table), Some(mark)) => table.metatable().is_some_and(|m| &m == mark),
            _ => false,
        }
    }
}

/// Why a text did not compile.
#[derive(Debug)]
pub enum Uncompiled {
    Incomplete(Trouble),
    Wrong(Trouble),
}

impl Uncompiled {
    pub fn into_trouble(self) -> Trouble {
        match self {
            Uncompiled::Incomplete(t) | Uncompiled::Wrong(t) => t,
        }
    }
}

/// Runs where the error was raised, so that the script's line is still on the stack.
fn annotate(lua: &Lua, failed: &Value) -> mlua::Error {
    let mut trouble = error::from_value(lua, failed);
    if (trouble.traceback().is_none() || trouble.place().is_none())
        && let Ok(traceback) = lua.traceback(None, 1)
    {
        let traceback = traceback.to_string_lossy();
        if trouble.place().is_none()
            && let Some(place) = error::first_lua_frame(&traceback)
        {
            trouble = trouble.at(place);
        }
        if trouble.traceback().is_none() {
            trouble = trouble.with_traceback(traceback);
        }
    }
    raise(trouble)
}

fn install_output(lua: &Lua, print: Print) -> LuaResult<()> {
    let tostring: Function = lua.globals().raw_get("tostring")?;
    lua.globals().raw_set(
        "print",
        lua.create_function(move |_, values: MultiValue| {
            let mut texts = Vec::with_capacity(values.len());
            if task::recalls() {
                return Ok(());
            }
            for value in values {
                texts.push(tostring.call::<mlua::LuaString>(value)?.to_string_lossy());
            }
            print(&texts.join("\t")).map_err(raise)
        })?,
    )
}

/// What the prelude is given and keeps to itself.
fn host_table(
    lua: &Lua,
    registry: &Rc<Registry>,
    loader: &Loader,
    raw_pcall: &Function,
    allow_globals: &Rc<Cell<bool>>,
    declared: &Rc<std::cell::RefCell<Option<Table>>>,
    cx: &Cx,
) -> LuaResult<Table> {
    let host = lua.create_table()?;
    host.raw_set("pending", Lua::poll_pending())?;
    host.raw_set("is_cancelled", lua.create_function(|_, e: Value| Ok(task::is_cancelled(&e)))?)?;
    host.raw_set(
        "shield",
        lua.create_function(|_, limit: Option<String>| {
            let limit =
                limit.map(|limit| words::parse_span(&limit)).transpose().map_err(mlua::Error::external)?;
            if let Some(scope) = Cancel::current() {
                scope.shield(limit.unwrap_or(SHIELD_LIMIT));
            }
            Ok(())
        })?,
    )?;
    host.raw_set(
        "unshield",
        lua.create_function(|_, ()| {
            if let Some(scope) = Cancel::current() {
                scope.unshield();
            }
            Ok(())
        })?,
    )?;
    let world = cx.world.clone();
    host.raw_set(
        "warn",
        lua.create_function(move |_, text: String| {
            world.warn(text);
            Ok(())
        })?,
    )?;
    check::install(lua, &host, cx)?;
    host.raw_set("task", task::functions(lua, raw_pcall)?)?;
    let pcall = raw_pcall.clone();
    host.raw_set("group", lua.create_function(move |_, ()| Ok(task::Group::new(pcall.clone())))?)?;
    host.raw_set("module", lua.create_function(globals::strict_module)?)?;
    let keep = Rc::clone(declared);
    host.raw_set(
        "declared",
        lua.create_function(move |_, mark: Table| {
            *keep.borrow_mut() = Some(mark);
            Ok(())
        })?,
    )?;
    let (finder, journal) = (loader.clone(), Arc::clone(&cx.site.journal));
    host.raw_set(
        "find_module",
        lua.create_function(move |lua, name: String| {
            let source = finder.module(&name).map_err(raise)?;
            check_text(&source).map_err(raise)?;
            journal.module(&source.name, &digest::bytes(&source.text)).map_err(raise)?;
            lua.load(source.text)
                .set_name(format!("@{}", source.name))
                .set_mode(mlua::chunk::ChunkMode::Text)
                .into_function()
        })?,
    )?;
    place_rules(lua, &host, registry)?;
    globals::rules(lua, &host, registry, allow_globals)?;
    lua.globals().raw_set("fail", lua.create_function(error::fail)?)?;
    Ok(host)
}

/// What Lua-written functions are given: `place(path, f)` puts a declared one into its module, `seconds()` is a
/// clock that only goes forward.
fn place_rules(lua: &Lua, host: &Table, registry: &Rc<Registry>) -> LuaResult<()> {
    let declared = Rc::clone(registry);
    host.raw_set(
        "place",
        lua.create_function(move |lua, (path, function): (String, Function)| {
            let Some(handmade) = declared.handmade().iter().find(|h| h.path == path) else {
                return Err(raise(Trouble::new(Kind::Internal, format!("{path} is not declared"))));
            };
            let owner: Table = lua.globals().raw_get(handmade.module())?;
            match module::functions(&owner) {
                Some(functions) => functions.raw_set(handmade.name(), function),
                None => Err(raise(Trouble::new(Kind::Internal, format!("{path} has no module")))),
            }
        })?,
    )?;
    let begin = std::time::Instant::now();
    host.raw_set("seconds", lua.create_function(move |_, ()| Ok(begin.elapsed().as_secs_f64()))?)
}

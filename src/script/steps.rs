//! What `run.lua` needs of the machine: the journal's steps, scopes of their own, digests of inputs.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Result, Table, Value};

use super::loader::Loader;
use super::{task, value};
use crate::base::{Kind, Trouble, digest};
use crate::script::value::error::{self, raise};
use crate::site::Cx;
use crate::world::Event;
use crate::world::scope::cancel::Cancel;
use crate::world::seam::naming::PLANNED_RUN;
use crate::world::state::steps::{Known, StepEnd, StepState};

/// The functions that `run.lua` leaves for the end of a run, and what it tells for that.
#[derive(Clone, Default)]
pub struct Ending {
    functions: Rc<RefCell<Option<(Function, Function)>>>,
    told: Rc<RefCell<Told>>,
}

/// What went wrong with the steps of a run.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The steps that failed and their errors.
    pub failed: Vec<(String, Trouble)>,
    /// What could not be taken back.
    pub not_undone: Vec<String>,
}

impl Ending {
    pub fn configure(&self, mode: &str) -> Result<()> {
        match self.functions.borrow().as_ref() {
            Some((configure, _)) => configure.call::<()>(mode),
            None => Ok(()),
        }
    }

    pub fn finish(&self) -> Option<Function> {
        self.functions.borrow().as_ref().map(|(_, finish)| finish.clone())
    }

    pub fn told(&self) -> Told {
        self.told.borrow().clone()
    }
}

pub fn install(lua: &Lua, host: &Table, cx: &Cx, loader: &Loader, raw_pcall: &Function) -> Result<Ending> {
    let ending = Ending::default();
    let keep = ending.clone();
    let both = move |_: &Lua, functions: (Function, Function)| {
        *keep.functions.borrow_mut() = Some(functions);
        Ok(())
    };
    host.raw_set("keep", lua.create_function(both)?)?;
    host.raw_set("raw_pcall", raw_pcall.clone())?;
    host.raw_set("planning", cx.world.hands.pretends())?;
    let told = Rc::clone(&ending.told);
    host.raw_set(
        "step_failed",
        lua.create_function(move |lua, (name, failed): (String, Value)| {
            told.borrow_mut().failed.push((name, error::from_value(lua, &failed)));
            Ok(())
        })?,
    )?;
    let told = Rc::clone(&ending.told);
    host.raw_set(
        "not_undone",
        lua.create_function(move |_, text: String| {
            told.borrow_mut().not_undone.push(text);
            Ok(())
        })?,
    )?;
    errors(lua, host)?;
    places(lua, host, cx, raw_pcall)?;
    records(lua, host, cx)?;
    let (cx, loader) = (cx.clone(), loader.clone());
    host.raw_set(
        "step_digest",
        lua.create_function(move |lua, (inputs, files, body): (Value, Option<Table>, Function)| {
            step_digest(lua, &cx, &loader, &inputs, files.as_ref(), &body)
        })?,
    )?;
    Ok(ending)
}

fn errors(lua: &Lua, host: &Table) -> Result<()> {
    host.raw_set(
        "message",
        lua.create_function(|lua, failed: Value| Ok(error::from_value(lua, &failed).message().to_owned()))?,
    )?;
    host.raw_set(
        "trouble",
        lua.create_function(|_, (kind, message): (String, String)| {
            let kind = Kind::named(&kind).unwrap_or(Kind::Script);
            Ok(Value::Error(Box::new(raise(Trouble::new(kind, message)))))
        })?,
    )?;
    host.raw_set(
        "unknown",
        lua.create_function(|_, (what, name, known): (String, String, Table)| -> Result<()> {
            let known: Vec<String> = known.pairs::<String, Value>().flatten().map(|(k, _)| k).collect();
            Err(raise(Trouble::unknown(&what, &name, known.iter().map(String::as_str))))
        })?,
    )
}

fn places(lua: &Lua, host: &Table, cx: &Cx, raw_pcall: &Function) -> Result<()> {
    let pcall = raw_pcall.clone();
    host.raw_set(
        "step_run",
        lua.create_async_function(move |_, (name, work): (String, Function)| {
            let pcall = pcall.clone();
            async move {
                let scope = Cancel::current().unwrap_or_default().step(&name);
                task::protected(pcall, scope, (work, MultiValue::new())).await
            }
        })?,
    )?;
    let pcall = raw_pcall.clone();
    host.raw_set(
        "step_recall",
        lua.create_async_function(move |_, (name, work): (String, Function)| {
            let pcall = pcall.clone();
            async move {
                let scope = Cancel::current().unwrap_or_default().recall(&name);
                task::protected(pcall, scope, (work, MultiValue::new())).await
            }
        })?,
    )?;
    let pcall = raw_pcall.clone();
    host.raw_set(
        "undo_run",
        lua.create_async_function(move |_, (name, number, work): (String, usize, Function)| {
            let pcall = pcall.clone();
            async move {
                let step = Some(name.as_str()).filter(|name| !name.is_empty());
                let scope = Cancel::current().unwrap_or_default().undo(step, number);
                task::protected(pcall, scope, (work, MultiValue::new())).await
            }
        })?,
    )?;
    host.raw_set("recalls", lua.create_function(|_, ()| Ok(task::recalls()))?)?;
    host.raw_set(
        "current_step",
        lua.create_function(|_, ()| Ok(Cancel::current().and_then(|scope| scope.task_path().step.clone())))?,
    )?;
    let journal = std::sync::Arc::clone(&cx.site.journal);
    let planning = cx.world.hands.pretends();
    host.raw_set(
        "run_id",
        lua.create_function(move |_, ()| {
            if planning {
                return Ok(PLANNED_RUN);
            }
            journal.run().map_err(raise)
        })?,
    )
}

fn records(lua: &Lua, host: &Table, cx: &Cx) -> Result<()> {
    let known = cx.clone();
    host.raw_set(
        "step_known",
        lua.create_function(move |lua, (name, digest): (String, String)| {
            let found = known.site.journal.known_step(&*known.world.eyes, &name, &digest).map_err(raise)?;
            match found {
                Known::Nothing => Ok(Value::Nil),
                Known::Again(why) => {
                    known.world.say(format!("step {name} is run again: {why}"));
                    Ok(Value::Nil)
                }
                Known::Done(result, undo) => {
                    let table = lua.create_table()?;
                    table.raw_set("result", value::to_lua(lua, &result)?)?;
                    table.raw_set("undo", undo)?;
                    Ok(Value::Table(table))
                }
                Known::Undoing(undo) => {
                    let table = lua.create_table()?;
                    table.raw_set("undoing", true)?;
                    table.raw_set("undo", undo)?;
                    Ok(Value::Table(table))
                }
            }
        })?,
    )?;
    let begin = cx.clone();
    host.raw_set(
        "step_begin",
        lua.create_function(move |_, (name, digest): (String, String)| {
            begin.site.journal.begin_step(&name, &digest).map_err(raise)?;
            begin.world.tell(Event::StepStarted { name });
            Ok(())
        })?,
    )?;
    let kept = cx.clone();
    host.raw_set(
        "step_kept",
        lua.create_function(move |_, name: String| {
            kept.world.tell(Event::StepFinished { name, state: String::from("kept"), seconds: 0.0 });
            Ok(())
        })?,
    )?;
    let journal = std::sync::Arc::clone(&cx.site.journal);
    host.raw_set(
        "step_undoing",
        lua.create_function(move |_, (name, count): (String, usize)| {
            journal.undo_step(&name, count).map_err(raise)
        })?,
    )?;
    let journal = std::sync::Arc::clone(&cx.site.journal);
    host.raw_set("steps_done", lua.create_function(move |_, ()| journal.done_steps().map_err(raise))?)?;
    let end = cx.clone();
    host.raw_set("step_end", lua.create_function(move |lua, given: Given| end_step(lua, &end, given))?)
}

/// Name, state, result, error or reason, and number of compensations of a step that has ended.
type Given = (String, String, Value, Value, Option<usize>);

fn end_step(lua: &Lua, cx: &Cx, (name, state, result, failed, undo): Given) -> Result<()> {
    let known = StepState::named(&state).unwrap_or(StepState::Failed);
    let (message, trouble) = match &failed {
        Value::Nil => (None, None),
        Value::String(text) if known == StepState::Skipped => (Some(text.to_string_lossy()), None),
        failed => {
            let trouble = error::from_value(lua, failed);
            (Some(trouble.message().to_owned()), Some(trouble))
        }
    };
    let end = StepEnd {
        result: value::to_whole_json(lua, &result)
            .map_err(|t| raise(t.about(format!("the result of step '{name}'"))))?,
        is_lasting: value::is_lasting(&result),
        message,
        error: trouble.as_ref(),
        undo: undo.unwrap_or_default(),
    };
    let seconds = cx.site.journal.end_step(&name, known, &end).map_err(raise)?;
    cx.world.tell(Event::StepFinished { name, state: known.name().to_owned(), seconds });
    Ok(())
}

/// What a step was made from: its inputs, the content of its files, its own text.
fn step_digest(
    lua: &Lua,
    cx: &Cx,
    loader: &Loader,
    inputs: &Value,
    files: Option<&Table>,
    body: &Function,
) -> Result<String> {
    let inputs = value::to_whole_json(lua, inputs).map_err(|t| raise(t.about("run.step: 'inputs'")))?;
    let mut text = inputs.to_string();
    for file in files.into_iter().flat_map(Table::sequence_values::<String>) {
        let path = std::path::PathBuf::from(file?);
        let digest = match cx.world.eyes.digest(&path) {
            Err(trouble) if trouble.is(Kind::NotFound) => String::from("absent"),
            other => other.map_err(raise)?,
        };
        cx.world.depends_on_file(&path).map_err(raise)?;
        text.push_str(&format!("\n{} {digest}", path.display()));
    }
    let info = body.info();
    let chunk = info.source.as_deref().and_then(|s| s.strip_prefix('@')).unwrap_or_default();
    if let (Some(source), Some(first), Some(last)) =
        (loader.text_of(chunk), info.line_defined, info.last_line_defined)
    {
        for line in source.lines().skip(first.saturating_sub(1)).take(last.saturating_sub(first) + 1) {
            text.push_str(line.trim());
            text.push('\n');
        }
    }
    Ok(digest::bytes(text.as_bytes()))
}

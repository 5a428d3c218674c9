//! Structured concurrency for scripts. Every call is a nursery: the first failure cancels the siblings, waits
//! until each has unwound, then comes back. Failures return as values, so the prelude can raise them unchanged.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use mlua::{Function, IntoLua, Lua, MultiValue, Result, Table, UserData, UserDataMethods, Value};
use tokio::sync::Notify;

use crate::base::nearest::nearest;
use crate::base::{Kind, Trouble, words};
use crate::script::value::error::{self, raise};
use crate::world::scope::cancel::Cancel;

/// How many run at once unless the script says otherwise.
const LIMIT: usize = 8;

/// Whether a step that was kept is gone through again: nothing is done, told or waited for.
pub fn recalls() -> bool {
    Cancel::current().is_some_and(|scope| scope.task_path().recalls)
}

/// What a child ended with: *(ok, value)*.
pub type Ended = (bool, Value);

/// The functions that the prelude wraps.
pub fn functions(lua: &Lua, raw_pcall: &Function) -> Result<Table> {
    let table = lua.create_table()?;
    let pcall = raw_pcall.clone();
    table.raw_set(
        "all",
        lua.create_async_function(move |lua, (tasks, options): (Table, Option<Table>)| {
            let pcall = pcall.clone();
            async move {
                let limit = limit(options.as_ref(), "task.all", usize::MAX)?;
                let jobs =
                    functions_of(&tasks, "task.all")?.into_iter().map(|f| (f, MultiValue::new())).collect();
                results(&lua, run_all(&pcall, jobs, limit).await)
            }
        })?,
    )?;
    let pcall = raw_pcall.clone();
    table.raw_set(
        "map",
        lua.create_async_function(move |lua, (items, each, options): (Table, Function, Option<Table>)| {
            let pcall = pcall.clone();
            async move {
                let limit = limit(options.as_ref(), "task.map", LIMIT)?;
                results(&lua, run_all(&pcall, jobs(&lua, &items, &each)?, limit).await)
            }
        })?,
    )?;
    let pcall = raw_pcall.clone();
    table.raw_set(
        "settle",
        lua.create_async_function(move |lua, (items, each, options): (Table, Function, Option<Table>)| {
            let pcall = pcall.clone();
            async move {
                let limit = limit(options.as_ref(), "task.settle", LIMIT)?;
                settle(&lua, &pcall, jobs(&lua, &items, &each)?, limit).await
            }
        })?,
    )?;
    let pcall = raw_pcall.clone();
    table.raw_set(
        "race",
        lua.create_async_function(move |_, tasks: Table| {
            let pcall = pcall.clone();
            async move { race(&pcall, functions_of(&tasks, "task.race")?).await }
        })?,
    )?;
    let pcall = raw_pcall.clone();
    table.raw_set(
        "timeout",
        lua.create_async_function(move |_, (limit, work): (Value, Function)| {
            let pcall = pcall.clone();
            async move { timeout(&pcall, span(&limit)?, work).await }
        })?,
    )?;
    Ok(table)
}

/// A duration as scripts give it: words or seconds.
fn span(value: &Value) -> Result<Duration> {
    let bad = || raise(Trouble::usage("task.timeout: the limit must be a duration like \"10m\" or seconds"));
    match value {
        Value::String(text) => words::parse_span(&text.to_string_lossy()).map_err(raise),
        Value::Integer(n) => u64::try_from(*n).map(Duration::from_secs).map_err(|_| bad()),
        Value::Number(n) => Duration::try_from_secs_f64(*n).map_err(|_| bad()),
        _ => Err(bad()),
    }
}

fn limit(options: Option<&Table>, function: &str, default: usize) -> Result<usize> {
    let Some(options) = options else { return Ok(default) };
    let mut limit = default;
    for pair in options.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let key = key.to_string().unwrap_or_default();
        if key != "limit" {
            let mut trouble =
                Trouble::new(Kind::UnknownName, format!("{function}: option '{key}' does not exist"));
            trouble = trouble.hint(match nearest(&key, ["limit"]) {
                Some(near) => format!("did you mean '{near}'?"),
                None => String::from("known: limit"),
            });
            return Err(raise(trouble));
        }
        limit = match value {
            Value::Integer(n) if n > 0 => n as usize,
            _ => {
                return Err(raise(Trouble::usage(format!(
                    "{function}: limit must be a whole number above zero"
                ))));
            }
        };
    }
    Ok(limit)
}

fn functions_of(tasks: &Table, function: &str) -> Result<Vec<Function>> {
    tasks
        .sequence_values::<Value>()
        .map(|item| match item? {
            Value::Function(f) => Ok(f),
            other => Err(raise(Trouble::usage(format!(
                "{function} takes a list of functions, not of {}",
                other.type_name()
            )))),
        })
        .collect()
}

pub type Job = (Function, MultiValue);

fn jobs(lua: &Lua, items: &Table, each: &Function) -> Result<Vec<Job>> {
    let mut jobs = Vec::new();
    for (index, item) in items.sequence_values::<Value>().enumerate() {
        jobs.push((each.clone(), MultiValue::from_vec(vec![item?, (index + 1).into_lua(lua)?])));
    }
    Ok(jobs)
}

/// Runs one function under a protected call and a scope of its own, which is made at once: its number is the
/// order of the calls, not of the first polls.
fn child(pcall: Function, nursery: Cancel, job: Job) -> impl Future<Output = Result<Ended>> {
    protected(pcall, nursery.child(None), job)
}

/// Runs one function under a protected call as the work of `scope`. What is cancelled before it begins does not.
pub async fn protected(pcall: Function, scope: Cancel, (work, arguments): Job) -> Result<Ended> {
    if scope.was_cancelled() {
        return Ok((false, Value::Error(Box::new(raise(Trouble::cancelled())))));
    }
    let mut call = MultiValue::from_vec(vec![Value::Function(work)]);
    call.extend(arguments);
    let mut reply: MultiValue = scope.enter(pcall.call_async(call)).await?;
    let ok = matches!(reply.pop_front(), Some(Value::Boolean(true)));
    Ok((ok, reply.pop_front().unwrap_or(Value::Nil)))
}

/// All of them, in order; or the first failure once everybody has unwound.
async fn run_all(pcall: &Function, jobs: Vec<Job>, limit: usize) -> std::result::Result<Vec<Value>, Value> {
    let nursery = Cancel::current().unwrap_or_default().child(None);
    let mut results: Vec<Value> = vec![Value::Nil; jobs.len()];
    let mut waiting = jobs.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    let mut failure: Option<Value> = None;
    loop {
        while failure.is_none() && running.len() < limit {
            let Some((index, job)) = waiting.next() else { break };
            let work = child(pcall.clone(), nursery.clone(), job);
            running.push(async move { (index, work.await) });
        }
        match running.next().await {
            None => break,
            Some((index, Ok((true, value)))) => {
                if let Some(slot) = results.get_mut(index) {
                    *slot = value;
                }
            }
            Some((_, ended)) => {
                let value = ended.map_or_else(|e| Value::Error(Box::new(e)), |(_, value)| value);
                failure.get_or_insert(value);
                nursery.cancel();
            }
        }
    }
    failure.map_or(Ok(results), Err)
}

fn results(lua: &Lua, outcome: std::result::Result<Vec<Value>, Value>) -> Result<Ended> {
    match outcome {
        Ok(values) => {
            let table = lua.create_table_with_capacity(values.len(), 0)?;
            for (index, value) in values.into_iter().enumerate() {
                table.raw_set(index + 1, value)?;
            }
            Ok((true, Value::Table(table)))
        }
        Err(value) => Ok((false, value)),
    }
}

async fn settle(lua: &Lua, pcall: &Function, jobs: Vec<Job>, limit: usize) -> Result<Ended> {
    let here = Cancel::current().unwrap_or_default();
    let out = lua.create_table_with_capacity(jobs.len(), 0)?;
    let mut waiting = jobs.into_iter().enumerate();
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < limit {
            let Some((index, job)) = waiting.next() else { break };
            let work = child(pcall.clone(), here.clone(), job);
            running.push(async move { (index, work.await) });
        }
        let Some((index, ended)) = running.next().await else { break };
        let (ok, value) = ended.unwrap_or_else(|e| (false, Value::Error(Box::new(e))));
        if here.is_cancelled() {
            waiting.by_ref().for_each(drop);
        }
        let entry = lua.create_table()?;
        entry.raw_set(if ok { "ok" } else { "error" }, value)?;
        out.raw_set(index + 1, entry)?;
    }
    if here.is_cancelled() {
        return Err(raise(Trouble::cancelled()));
    }
    Ok((true, Value::Table(out)))
}

async fn race(pcall: &Function, tasks: Vec<Function>) -> Result<Ended> {
    if tasks.is_empty() {
        return Err(raise(Trouble::usage("task.race takes at least one function")));
    }
    let nursery = Cancel::current().unwrap_or_default().child(None);
    let mut running: FuturesUnordered<_> =
        tasks.into_iter().map(|f| child(pcall.clone(), nursery.clone(), (f, MultiValue::new()))).collect();
    let (mut winner, mut last) = (None, Value::Nil);
    while let Some(ended) = running.next().await {
        match ended.unwrap_or_else(|e| (false, Value::Error(Box::new(e)))) {
            (true, value) if winner.is_none() => {
                winner = Some(value);
                nursery.cancel();
            }
            (true, _) => {}
            (false, value) => {
                if winner.is_none() {
                    last = value;
                }
            }
        }
    }
    Ok(match winner {
        Some(value) => (true, value),
        None => (false, last),
    })
}

async fn timeout(pcall: &Function, limit: Duration, work: Function) -> Result<Ended> {
    let outer = Cancel::current().unwrap_or_default();
    let scope = outer.child(Some(limit));
    let (ok, value) = child(pcall.clone(), scope.clone(), (work, MultiValue::new())).await?;
    if !ok && is_cancelled(&value) && scope.past_deadline() && !outer.is_cancelled() {
        let trouble = Trouble::new(Kind::Timeout, format!("not done within {}", words::span(limit)))
            .fact("seconds", limit.as_secs_f64());
        return Ok((false, Value::Error(Box::new(raise(trouble)))));
    }
    Ok((ok, value))
}

/// Whether an error value is the one that unwinds a cancelled scope.
pub fn is_cancelled(value: &Value) -> bool {
    matches!(value, Value::Error(e) if error::find(e).is_some_and(|t| t.is(Kind::Cancelled)))
}

/// `task.group`: work is added while it runs.
pub struct Group {
    pcall: Function,
    added: Rc<RefCell<Vec<Function>>>,
    wake: Rc<Notify>,
}

impl Group {
    pub fn new(pcall: Function) -> Self {
        Group { pcall, added: Rc::default(), wake: Rc::default() }
    }

    async fn run(
        pcall: Function,
        added: Rc<RefCell<Vec<Function>>>,
        wake: Rc<Notify>,
        body: Function,
    ) -> Result<Ended> {
        type Running = Pin<Box<dyn Future<Output = (bool, Result<Ended>)>>>;
        let nursery = Cancel::current().unwrap_or_default().child(None);
        let start = |is_body: bool, work: Function| -> Running {
            let (pcall, nursery) = (pcall.clone(), nursery.clone());
            Box::pin(async move { (is_body, child(pcall, nursery, (work, MultiValue::new())).await) })
        };
        let mut running = FuturesUnordered::new();
        running.push(start(true, body));
        let (mut result, mut failure) = (Value::Nil, None);
        while !running.is_empty() {
            for work in added.borrow_mut().drain(..) {
                if failure.is_none() {
                    running.push(start(false, work));
                }
            }
            tokio::select! {
                biased;
                () = wake.notified() => {}
                ended = running.next() => match ended {
                    Some((true, Ok((true, value)))) => result = value,
                    None | Some((false, Ok((true, _)))) => {}
                    Some((_, ended)) => {
                        let value = ended.map_or_else(|e| Value::Error(Box::new(e)), |(_, value)| value);
                        failure.get_or_insert(value);
                        nursery.cancel();
                    }
                },
            }
            if running.is_empty() && failure.is_none() {
                for work in added.borrow_mut().drain(..) {
                    running.push(start(false, work));
                }
            }
        }
        Ok(failure.map_or((true, result), |value| (false, value)))
    }
}

impl UserData for Group {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("spawn", |_, group, work: Function| {
            group.added.borrow_mut().push(work);
            group.wake.notify_one();
            Ok(())
        });
        methods.add_async_method("run", |_, group, body: Function| {
            Group::run(group.pcall.clone(), Rc::clone(&group.added), Rc::clone(&group.wake), body)
        });
    }
}

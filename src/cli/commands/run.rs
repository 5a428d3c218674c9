//! `run`, `eval`: scripts and workflows, on record, one instance at a time.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use mlua::{MultiValue, Value};
use serde_json::json;

use crate::base::{Kind, Result, Trouble, digest};
use crate::cli::commands::failures;
use crate::cli::every;
use crate::cli::options::{self, RunOptions};
use crate::cli::session::Session;
use crate::plan::inputs;
use crate::script::Host;
use crate::script::host::Uncompiled;
use crate::script::loader::Source;
use crate::script::value::fields::Fields;
use crate::script::value::{self, error};
use crate::script::workflow::{Instances, Workflow};
use crate::spack::drive::session::Spack;
use crate::term::printer::Detail;
use crate::world::proc::orphans;
use crate::world::seam::input::{Input, InputKind};
use crate::world::state::journal::{About, Note};
use crate::world::state::own_lock::{self, OwnLock};

/// The words after `run`.
pub async fn words(session: &Session, words: &[OsString]) -> Result<u8> {
    let Some((name, args)) = words.split_first() else { return Err(Trouble::usage("run: which workflow?")) };
    let name = name.to_string_lossy();
    if name == "--help" || name == "-h" {
        let mut command = crate::cli::args::command();
        command.build();
        let asked = if session.planning.is_some() { "plan" } else { "run" };
        let help = command.find_subcommand_mut(asked).map(|c| c.render_help().to_string());
        session.printer.result(help.unwrap_or_default().trim_end())?;
        return Ok(0);
    }
    if name.starts_with('-') {
        return Err(Trouble::usage(format!("run: '{name}' stands where the name of a workflow is expected"))
            .hint("options go before `run` or after the name of the workflow"));
    }
    workflow(session, &name, args).await
}

/// Runs a workflow with its options, or a plain script with its arguments.
pub async fn workflow(session: &Session, name: &str, args: &[OsString]) -> Result<u8> {
    let source = session.loader(None).script(name)?;
    let folder = Path::new(&source.name)
        .parent()
        .map(Path::to_owned)
        .filter(|_| name.contains('/') || Path::new(&source.name).exists());
    let host = session.host(folder)?;
    let words: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    session.given.add(Input::new(InputKind::Script, &source.name, digest::bytes(&source.text)));
    let about = about(session, name, &source, &words);
    session.cx.site.journal.describe(about.clone());
    let plain: Vec<Value> = args
        .iter()
        .map(|a| host.lua().create_string(a.as_encoded_bytes()).map(Value::String))
        .collect::<mlua::Result<_>>()
        .map_err(|e| error::from_error(&e))?;
    // A plain script does its work as it is loaded; a workflow only declares it.
    let begun = if declares(&source) {
        None
    } else {
        session.given.add(options_input(&json!(words)));
        Some(begin(session, &source.name, Some(format!("script {} {}", source.name, words.join(" ")))).await?)
    };
    let results = host.run(&session.scope, &source, MultiValue::from_vec(plain)).await;
    let code = match results {
        Ok(results) => match results.front() {
            Some(declared) if host.is_workflow(declared) => {
                let Value::Table(table) = declared else { return Ok(0) };
                drop(begun);
                let workflow = Workflow::read(table)?;
                return declared_workflow(session, &host, &workflow, args, about).await;
            }
            _ => exit_code(&results),
        },
        Err(trouble) => Err(trouble),
    };
    finish(session, &host, code).await
}

/// Whether a text declares a workflow: then its lock follows from its options.
fn declares(source: &Source) -> bool {
    let text = String::from_utf8_lossy(&source.text);
    text.lines().any(|line| {
        let line = line.trim_start();
        line.strip_prefix("return").unwrap_or(line).trim_start().starts_with("workflow")
    })
}

async fn declared_workflow(
    session: &Session,
    host: &Host,
    workflow: &Workflow,
    args: &[OsString],
    about: About,
) -> Result<u8> {
    let planning = session.planning.is_some();
    let command = every::shown(RunOptions::extend(workflow.command(), planning));
    let asked = if planning { "plan" } else { "run" };
    let command = command.bin_name(format!("moonstack {asked} {}", workflow.name));
    let matches = match command.try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(e) if !e.use_stderr() => {
            session.printer.result(e.to_string().trim_end())?;
            return Ok(0);
        }
        Err(e) => return Err(wrong_options(&e)),
    };
    session.options.borrow_mut().add(&matches);
    session.ran.borrow_mut().words = options::without_plan(&about.script, args, workflow);
    let given = workflow.arguments(host.lua(), &matches)?;
    let chosen = value::to_json(host.lua(), &Value::Table(given.clone()));
    session.given.add(options_input(&chosen));
    // What was asked of moonstack as a whole holds for a workflow that knows the word.
    for (name, asked) in [("json", session.printer.json), ("quiet", session.printer.detail == Detail::Quiet)]
    {
        if asked && workflow.options.iter().any(|o| o.name == name) {
            given.raw_set(name, true).map_err(|e| error::from_error(&e))?;
        }
    }
    let names = workflow.options.iter().map(|option| option.name.clone()).collect();
    Fields::named(host.lua(), &format!("{}: option", workflow.name), names)
        .and_then(|fields| fields.guard(&Value::Table(given.clone())))
        .map_err(|e| error::from_error(&e))?;
    session.cx.site.journal.describe(About { options: chosen.clone(), ..about });
    let instance = match &workflow.lock {
        Instances::Many => None,
        Instances::OnePer(names) => {
            let values: Vec<String> = names.iter().map(|n| format!("{n}={}", chosen[n.as_str()])).collect();
            Some(format!("workflow {} {}", workflow.name, values.join(" ")).trim_end().to_owned())
        }
    };
    let _lock = begin(session, &workflow.name, instance).await?;
    host.on_fail(&workflow.on_fail(&given)?)?;
    let arguments = MultiValue::from_vec(vec![Value::Table(given)]);
    let code = host.call(&session.scope, workflow.run.clone(), arguments).await;
    let code = code.and_then(|results| exit_code(&results));
    finish(session, host, code).await
}

/// What a workflow's own command line says of wrong options, as an error.
pub fn wrong_options(error: &clap::Error) -> Trouble {
    let text = error.to_string();
    let mut lines = text.trim_end().lines();
    let first = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let mut trouble = Trouble::usage(first);
    for line in lines.map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("Usage")) {
        trouble = trouble.hint(line.trim_start_matches("tip: "));
    }
    trouble
}

fn options_input(options: &serde_json::Value) -> Input {
    Input::new(InputKind::Options, "options", digest::bytes(options.to_string().as_bytes()))
}

fn about(session: &Session, name: &str, source: &Source, words: &[String]) -> About {
    let mut stored = session.stored.clone();
    stored.words = std::iter::once(name.to_owned()).chain(words.iter().cloned()).collect();
    *session.ran.borrow_mut() = stored.clone();
    let plan = session.plan.as_ref().map(|plan| {
        json!({ "digest": plan.digest, "planned_by": plan.planned.user, "planned_on": plan.planned.host,
                "planned_at": plan.planned.at })
    });
    About {
        kind: if plan.is_some() { "apply" } else { "run" }.to_owned(),
        script: name.to_owned(),
        digest: Some(digest::bytes(&source.text)),
        options: json!(words),
        command: serde_json::to_value(&stored).unwrap_or_default(),
        plan,
    }
}

/// Sees to it that this is the only instance, that its plan still holds, and that it is on record.
async fn begin(session: &Session, title: &str, instance: Option<String>) -> Result<Option<OwnLock>> {
    session.cx.site.wait_at_least(session.options.borrow().wait.unwrap_or_default());
    if let Some(plan) = &session.plan {
        inputs::check(&session.cx, plan, &session.given_now()?)?;
    }
    let lock = match instance {
        Some(instance) => only_one(session, title, &instance).await?,
        None => None,
    };
    session.has_begun.set(true);
    if session.planning.is_none() {
        let journal = &session.cx.site.journal;
        let run = journal.run()?;
        let log = session.cx.site.logs().join(format!("run-{run}.log"));
        session.log.open(&log)?;
        journal.note(Note::Log, &log.display().to_string())?;
        // A script that never asks for Spack runs without one.
        if let Ok(spack) = Spack::of(&session.cx) {
            let found = &spack.installation;
            let commit = found.commit.as_deref().unwrap_or("no commit");
            journal
                .note(Note::Spack, &format!("{} {} ({commit})", found.root.display(), found.version_text))?;
        }
    }
    Ok(lock)
}

async fn only_one(session: &Session, title: &str, instance: &str) -> Result<Option<OwnLock>> {
    let path = own_lock::place(&session.cx.site.state, instance);
    let patience = session.options.borrow().wait.unwrap_or(Duration::ZERO);
    let waiting = session.cx.world.hands.lock(path, title, patience);
    let lock = session.scope.enter(session.scope.guard(waiting)).await.map_err(|trouble| {
        if !trouble.is(Kind::Lock) {
            return session.ended(trouble);
        }
        let mut busy = Trouble::new(Kind::Busy, format!("{title} is running already"));
        for hint in trouble.hints() {
            busy = busy.hint(hint.as_str());
        }
        for (key, fact) in trouble.facts() {
            busy = busy.fact(key, fact.clone());
        }
        busy.hint("--wait 10m waits for it")
    })?;
    if let Some(stale) = lock.as_ref().and_then(|l| l.stale.as_ref()) {
        if stale.process.is_here() {
            orphans::end(stale.process.pid);
        }
        session.cx.world.warn(format!("{stale} ended without saying so; `moonstack runs` shows what it did"));
    }
    Ok(lock)
}

/// The end of a run: what has to be taken back, what failed while other steps went on, what of a plan is left.
async fn finish(session: &Session, host: &Host, code: Result<u8>) -> Result<u8> {
    let told = host.finish(matches!(code, Ok(0 | 1))).await?;
    if session.planning.is_none()
        && let Ok(modules) = serde_json::to_string(&session.modules())
    {
        session.cx.site.journal.note(Note::Modules, &modules)?;
    }
    // Whatever the script has made of it: what is not in the plan was not done.
    if let Some(departed) = session.expected.as_ref().and_then(|expected| expected.departure()) {
        return Err(departed.clone());
    }
    if session.planning.is_some() {
        session.failed.replace(failures::named(&code, &told, host.failed_step()));
    }
    let code = failures::weigh(code, &told)?;
    if let Some(expected) = &session.expected {
        let left: Vec<String> =
            expected.left().iter().map(crate::world::scope::identity::Identity::title).collect();
        if !left.is_empty() {
            let message = format!("the run ended, but left out what the plan has: {}", left.join("; "));
            return Err(Trouble::new(Kind::NotDone, message).fact("left_out", left));
        }
    }
    Ok(code)
}

/// A script may return its exit code; nothing is 0. Anything else may have been meant as a failure.
fn exit_code(results: &MultiValue) -> Result<u8> {
    let code = match results.front() {
        None | Some(Value::Nil) => return Ok(0),
        Some(Value::Integer(code)) => u8::try_from(*code).ok(),
        Some(_) => None,
    };
    code.ok_or_else(|| {
        let returned = match results.front() {
            Some(Value::String(text)) => format!("the text \"{}\"", text.to_string_lossy()),
            Some(value @ (Value::Integer(_) | Value::Number(_) | Value::Boolean(_))) => {
                value.to_string().unwrap_or_default()
            }
            other => format!("a {}", other.map_or("nil", Value::type_name)),
        };
        let returned = returned.chars().take(80).collect::<String>();
        Trouble::new(
            Kind::Script,
            format!("the script returned {returned}, but it may only return its exit code, from 0 to 255"),
        )
        .hint("return 2 for a failure; nothing, or 0, is success; `print` is for results")
    })
}

/// Evaluates an expression or statements and prints what they give.
pub async fn eval(session: &Session, code: &str) -> Result<u8> {
    let host = session.host(None)?;
    host.allow_globals();
    session.cx.site.journal.describe(About {
        kind: String::from("eval"),
        script: String::from("eval"),
        options: code.into(),
        ..About::default()
    });
    let function = host.compile_line("eval", code).map_err(Uncompiled::into_trouble)?;
    let results = host.call(&session.scope, function, MultiValue::new()).await?;
    for result in &results {
        match result {
            Value::Nil if results.len() == 1 && !session.printer.json => {}
            result => session.printer.give(&value::to_json(host.lua(), result))?,
        }
    }
    Ok(0)
}

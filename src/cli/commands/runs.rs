//! `runs …`: the journal as people and programs read it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::base::{Kind, Result, Trouble, words};
use crate::cli::args::{Runs, RunsCommand, RunsList};
use crate::cli::session::Session;
use crate::runs::prune;
use crate::runs::read::{self, RunDetail, RunRow, RunState};
use crate::term::progress;

pub async fn runs(session: &Session, runs: &Runs) -> Result<u8> {
    match &runs.command {
        None => list(session, &runs.list),
        Some(RunsCommand::List(list_args)) => list(session, list_args),
        Some(RunsCommand::Show { id }) => show(session, *id),
        Some(RunsCommand::Log { id }) => log(session, *id),
        Some(RunsCommand::Prune { dry_run }) => prune(session, *dry_run).await,
        // It is a run, and opened as one.
        Some(RunsCommand::Resume(_)) => Err(Trouble::new(Kind::Internal, "resume without a run")),
    }
}

fn list(session: &Session, args: &RunsList) -> Result<u8> {
    let store = &session.cx.site.store;
    let rows = if store.path().exists() {
        read::list(store, args.script.as_deref(), args.failed, args.limit)?
    } else {
        Vec::new()
    };
    if session.printer.json {
        session.printer.json(&rows)?;
        return Ok(0);
    }
    let shown: Vec<Value> = rows.iter().map(row).collect();
    session.printer.value(&shown.into())?;
    Ok(0)
}

fn row(run: &RunRow) -> Value {
    json!({
        "run": run.id, "script": run.script, "state": state(run.state), "started": at(run.started),
        "took": run.ended.map_or_else(String::new, |ended| span(ended - run.started)),
        "actions": run.actions, "user": run.user, "message": run.message.clone().unwrap_or_default(),
    })
}

fn state(state: RunState) -> String {
    serde_json::to_value(state).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn at(seconds: f64) -> String {
    let time = Timestamp::from_microsecond((seconds * 1e6) as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    time.to_zoned(TimeZone::system()).strftime("%F %T").to_string()
}

fn span(seconds: f64) -> String {
    words::span(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

fn show(session: &Session, id: i64) -> Result<u8> {
    let detail = read::detail(&session.cx.site.store, id)?;
    if session.printer.json {
        session.printer.json(&detail)?;
        return Ok(0);
    }
    session.printer.result(&text(&detail))?;
    Ok(0)
}

fn text(detail: &RunDetail) -> String {
    let run = &detail.run;
    let mut out = format!("run {}: {} {}\n", run.id, run.script, state(run.state));
    let mut line = |name: &str, value: String| {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<9} {value}\n"));
        }
    };
    line("message", run.message.clone().unwrap_or_default());
    line("exit", run.exit.map(|e| e.to_string()).unwrap_or_default());
    line("by", format!("{} on {} (process {})", run.user, run.host, run.pid));
    let took = run.ended.map(|e| format!(", took {}", span(e - run.started))).unwrap_or_default();
    line("started", format!("{}{took}", at(run.started)));
    line("attempt", if run.attempt > 1 { run.attempt.to_string() } else { String::new() });
    line("options", if detail.options.is_null() { String::new() } else { detail.options.to_string() });
    line("script", detail.digest.clone().unwrap_or_default());
    line("spack", detail.spack.clone().unwrap_or_default());
    if let Some(by) = detail.plan.get("planned_by").and_then(Value::as_str) {
        let when = detail.plan["planned_at"].as_str().unwrap_or_default();
        line("planned", format!("by {by} at {when}"));
    }
    line("log", detail.log.clone().unwrap_or_default());
    if !detail.steps.is_empty() {
        out.push_str("steps\n");
    }
    for step in &detail.steps {
        let took = step.ended.map(|e| span(e - step.started)).unwrap_or_default();
        let kind = step.error["kind"].as_str().map(|kind| format!("  ({kind})")).unwrap_or_default();
        let message = step.message.as_ref().map(|m| format!("  {m}")).unwrap_or_default();
        out.push_str(&format!("  {:<9} {:<20} {took}{message}{kind}\n", step.state, step.name));
        for line in step.explained() {
            out.push_str(&format!("            {line}\n"));
        }
    }
    if !detail.journal.is_empty() {
        out.push_str("actions\n");
    }
    for action in &detail.journal {
        let outcome = action.outcome.as_deref().unwrap_or("begun, its end is not on record");
        let place = action.place.as_ref().map(|p| format!("  ({p})")).unwrap_or_default();
        out.push_str(&format!("  {:<12} {}: {outcome}{place}\n", action.action, action.what));
    }
    out
}

fn log(session: &Session, id: i64) -> Result<u8> {
    let detail = read::detail(&session.cx.site.store, id)?;
    let Some(path) = detail.log else {
        return Err(Trouble::new(Kind::NotFound, format!("run {id} kept no log"))
            .hint("runs of workflows and scripts do"));
    };
    let text = session.cx.world.eyes.read_text(std::path::Path::new(&path))?;
    if session.printer.json {
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        session.printer.json(&lines)?;
        return Ok(0);
    }
    for line in text.lines() {
        let shown = serde_json::from_str(line).ok().and_then(|event| progress::recorded(&event));
        session.printer.result(shown.as_deref().unwrap_or(line))?;
    }
    Ok(0)
}

async fn prune(session: &Session, dry_run: bool) -> Result<u8> {
    let pruned = prune::by_policy(&session.cx, dry_run, None).await?;
    session.printer.give(&serde_json::to_value(&pruned).unwrap_or_default())?;
    Ok(0)
}

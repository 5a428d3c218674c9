//! The one line that a run from cron says at its end, if there is anything to say.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::base::{Result, words};
use crate::check::finding::{Finding, Status};
use crate::cli::end::ended::Ended;
use crate::cli::options::RunOptions;
use crate::cli::session::Session;
use crate::site::config;

/// Says it, if that was asked for.
pub fn say(session: &Session, asked: &RunOptions, ended: &Ended) -> Result<()> {
    let Some(line) = asked.summary.then(|| line(ended)).flatten() else { return Ok(()) };
    if session.printer.json {
        return session.printer.json(&json!({ "summary": line, "exit": ended.exit, "run": ended.run }));
    }
    session.printer.result(&line)
}

/// The line; none when all went well and nothing was done.
pub fn line(ended: &Ended) -> Option<String> {
    let (actions, steps) = ended.detail.as_ref().map_or((0, 0), |d| (d.run.actions, d.steps.len()));
    if ended.exit == 0 && actions == 0 {
        return None;
    }
    let exit = ended.exit;
    let how = match exit {
        0 => String::from("ok"),
        1 => format!("needs attention (exit {exit})"),
        3 => format!("COULD NOT TELL OR START (exit {exit})"),
        4 => format!("REFUSED (exit {exit})"),
        5 => format!("not started (exit {exit})"),
        130 => format!("INTERRUPTED (exit {exit})"),
        _ => format!("FAILED (exit {exit})"),
    };
    let reason = ended.message.as_deref().and_then(|m| m.lines().next()).map(str::to_owned);
    let reason = reason.or_else(|| findings(&ended.findings)).filter(|_| exit != 0);
    let what = reason.map_or_else(
        || {
            let mut counts = vec![words::count(usize::try_from(actions).unwrap_or_default(), "action")];
            if steps > 0 {
                counts.push(words::count(steps, "step"));
            }
            let took = Duration::try_from_secs_f64((ended.until - ended.began).max(0.0)).unwrap_or_default();
            format!(", {} in {}", counts.join(", "), words::span(took))
        },
        |reason| format!(": {reason}"),
    );
    let log = ended.detail.as_ref().and_then(|d| d.log.as_ref()).filter(|_| exit > 1);
    let log = log.map(|log| format!(", log {log}")).unwrap_or_default();
    let run = ended.run.map(|run| format!(" (run {run}{log})")).unwrap_or_default();
    Some(format!("{}: {how}{what}{run}", name(&ended.script)))
}

/// What a workflow or script is called.
pub fn name(script: &str) -> String {
    let stem = Path::new(script).file_stem().filter(|_| config::is_file(script));
    stem.map_or_else(|| script.to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// The worst finding, and how many more need attention.
fn findings(all: &[Finding]) -> Option<String> {
    let mut bad: Vec<&Finding> = all.iter().filter(|f| f.status >= Status::Warn).collect();
    bad.sort_by_key(|f| std::cmp::Reverse(f.status));
    let first = bad.first().map(|f| finding(f))?;
    Some(match bad.len() - 1 {
        0 => first,
        more => format!("{first}, and {more} more"),
    })
}

/// A finding in a line.
pub fn finding(finding: &Finding) -> String {
    let subject = finding.subject.as_ref().map(|s| format!(" {s}")).unwrap_or_default();
    format!("{}{subject}: {}", finding.check, finding.message)
}

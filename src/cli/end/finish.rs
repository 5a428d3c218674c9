//! The end of a run: what is told of it, to whom, and where it is written. Nothing here changes how the run ended,
//! but for a report that cannot be written: somebody waits for it.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{retention, summary};
use crate::base::{Kind, Result, Trouble};
use crate::check::finding::{Finding, Status};
use crate::check::history::{self, Change};
use crate::cli::end::ended::Ended;
use crate::cli::options::RunOptions;
use crate::cli::session::Session;
use crate::notify::change::{Changed, RunEnd, Severity, severity, tell};
use crate::policy::slots::{Alarm, Alert, Standing, Subject};
use crate::runs::latest;
use crate::runs::read::{self, RunDetail};
use crate::schedule::metrics::{self, Checked, Measured};
use crate::site::Cx;
use crate::world::seam::live::LiveHands;
use crate::world::state::journal::About;
use crate::world::who::{host, user};
use crate::world::{Action, Event, World};

/// A log that is longer is not searched for what failed.
const SEARCHED: u64 = 64 << 20;

/// What was known of a run when it was begun.
pub struct Begun {
    /// What was asked for, where it came to nothing more.
    pub name: String,
    /// How the attempt before ended, where this goes on with a run.
    pub attempt_before: Option<u8>,
    pub at: f64,
}

/// Does all that is due at the end of a run, which has its end on record.
pub async fn finish(session: &Session, begun: Begun, result: Result<u8>) -> Result<u8> {
    let asked = session.options.borrow().clone();
    let busy = matches!(&result, Err(t) if t.is(Kind::Busy));
    if session.cx.site.journal.number().is_none() && !busy && !late_start(session, &begun, &asked, &result) {
        return result;
    }
    let mut ended = ended(session, begun, &result);
    // Of the other instance nothing is known, and its files are its own.
    if busy {
        return after(summary::say(session, &asked, &ended), result);
    }
    let cx = unplanned(&session.cx);
    let written = files(&cx, &asked, &ended).await;
    let result = match (result, written) {
        (Ok(0), Err(trouble)) => {
            ended.exit = 1;
            if let Err(journal) = cx.site.journal.end(1, Some(trouble.message())) {
                cx.world.unrecorded(&cx.site.journal, &journal);
            }
            Ok(1)
        }
        (result, _) => result,
    };
    let said = summary::say(session, &asked, &ended);
    // Who sits there sees how it ends.
    let is_asked = asked.notify || asked.summary || asked.report.is_some() || asked.metrics.is_some();
    let is_told = is_asked || !std::io::stdin().is_terminal();
    if is_told && !cx.site.loaded.config.notify.is_empty() {
        let told = end(&cx, &ended);
        let severity = severity_of(&cx, &ended, &told);
        tell(&cx, &told, severity).await;
    }
    if cx.site.store.path().exists() {
        retention::rotate(&cx).await;
    }
    after(said, result)
}

/// How the run ended, unless the summary could not be written.
fn after(said: Result<()>, result: Result<u8>) -> Result<u8> {
    match said {
        Err(trouble) => result.and(Err(trouble)),
        Ok(()) => result,
    }
}

/// Puts a run on record that failed before it began, if it was to be told of: nobody sat there to see the error.
fn late_start(session: &Session, begun: &Begun, asked: &RunOptions, result: &Result<u8>) -> bool {
    let unattended = asked.summary || asked.report.is_some() || asked.metrics.is_some();
    let Err(trouble) = result else { return false };
    if !unattended {
        return false;
    }
    let journal = &session.cx.site.journal;
    // A resume that was refused leaves the run as it was.
    if journal.is_about_to_resume() {
        return true;
    }
    if session.ran.borrow().words.is_empty() {
        let about = About { kind: "run".into(), script: begun.name.clone(), ..About::default() };
        journal.describe(about);
    }
    // Without a state folder there is still a summary to give.
    let recorded =
        journal.run().and_then(|_| journal.end(trouble.kind().exit_code(), Some(trouble.message())));
    if let Err(trouble) = recorded {
        session.cx.world.unrecorded(journal, &trouble);
    }
    true
}

fn ended(session: &Session, begun: Begun, result: &Result<u8>) -> Ended {
    let cx = &session.cx;
    let store = &cx.site.store;
    let run = cx.site.journal.number();
    let detail = run.and_then(|run| read::detail(store, run).ok());
    let (exit, message, failed) = match result {
        Ok(code) => (*code, None, Vec::new()),
        Err(t) => (t.kind().exit_code(), Some(t.message().to_owned()), named(t)),
    };
    let script = session.ran.borrow().words.first().cloned().unwrap_or(begun.name);
    let options = session.ran.borrow().words.get(1..).unwrap_or_default().to_vec();
    let exits = latest::exits(store, &script, &options, run).unwrap_or_default();
    let earlier = exits.first().map(|(exit, _)| *exit);
    let (findings, changes) = run.and_then(|run| history::of_run(cx, run).ok()).unwrap_or_default();
    Ended {
        previous: begun.attempt_before.or(earlier),
        exits,
        began: begun.at,
        until: cx.world.clock.seconds(),
        script,
        run,
        exit,
        message,
        failed,
        detail,
        findings,
        changes,
    }
}

/// What is told at the end is no part of a plan that was applied.
fn unplanned(cx: &Cx) -> Cx {
    let hands = Arc::new(LiveHands::new(Some(Arc::clone(&cx.site.journal))));
    Cx { world: World { hands, ..cx.world.clone() }, site: Arc::clone(&cx.site) }
}

/// Writes report and metrics. Each failure is a warning, and the first is handed back.
async fn files(cx: &Cx, asked: &RunOptions, ended: &Ended) -> Result<()> {
    let mut first = Ok(());
    let texts = [
        ("report", &asked.report, report(ended)),
        ("metrics", &asked.metrics, metrics::text(&measured(cx, ended))),
    ];
    for (what, path, text) in texts {
        let Some(path) = path else { continue };
        if let Err(trouble) = write(cx, path, text, what).await {
            cx.world.warn(format!("the {what} was not written: {trouble}"));
            first = first.and(Err(trouble));
        }
    }
    first
}

async fn write(cx: &Cx, path: &Path, text: String, what: &str) -> Result<()> {
    let path = std::path::absolute(path).map_err(|e| Trouble::io("find", path, e))?;
    // Whoever collects metrics is another user, and cron's umask may hide new files.
    let mode = (what == "metrics" && !cx.world.eyes.exists(&path)?).then_some(0o644);
    let write = Action::WriteOutput { path, bytes: text.into_bytes(), mode };
    cx.world.keep(write).await.map(drop)
}

fn report(ended: &Ended) -> String {
    let detail = ended.detail.as_ref().and_then(|detail| serde_json::to_value(detail).ok());
    let mut report = match detail {
        Some(Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    };
    report.insert("script".into(), ended.script.as_str().into());
    report.insert("exit".into(), ended.exit.into());
    report.insert("summary".into(), summary::line(ended).into());
    report.insert("previous_exit".into(), ended.previous.into());
    report.insert("findings".into(), json!(ended.findings));
    report.insert("changes".into(), json!(ended.changes));
    let mut text = serde_json::to_string_pretty(&Value::Object(report)).unwrap_or_default();
    text.push('\n');
    text
}

fn measured(cx: &Cx, ended: &Ended) -> Measured {
    let mut steps = BTreeMap::<String, usize>::new();
    for step in ended.detail.iter().flat_map(|d| &d.steps) {
        *steps.entry(step.state.clone()).or_default() += 1;
    }
    let checked = |finding: &Finding| Checked {
        check: finding.check.clone(),
        subject: finding.subject.clone().unwrap_or_default(),
        status: finding.status.name().to_owned(),
        seconds: finding.seconds,
    };
    let earlier = latest::success(&cx.site.store, &ended.script).ok().flatten();
    Measured {
        workflow: summary::name(&ended.script),
        exit: ended.exit,
        started: ended.began,
        ended: ended.until,
        last_success: if ended.exit < 2 { Some(ended.until) } else { earlier },
        actions: ended.detail.as_ref().map_or(0, |d| d.run.actions),
        steps,
        checks: ended.findings.iter().map(checked).collect(),
    }
}

/// How loudly it is told: as the site's policy says, or by the rule where there is none.
fn severity_of(cx: &Cx, ended: &Ended, told: &RunEnd) -> Severity {
    if !cx.site.loaded.config.policy.contains_key("alert") {
        return severity(told);
    }
    let standing = |exit: Option<u8>| match exit {
        None => Standing::Unknown,
        Some(0 | 6) => Standing::Pass,
        Some(1) => Standing::Warn,
        Some(_) => Standing::Fail,
    };
    let now = standing(Some(ended.exit));
    let own = (ended.exit, ended.until);
    let exits = std::iter::once(own).chain(ended.exits.iter().copied());
    let same: Vec<f64> =
        exits.take_while(|(exit, _)| standing(Some(*exit)) == now).map(|(_, at)| at).collect();
    let since = same.last().map_or(0.0, |first| (ended.until - first).max(0.0));
    let facts = Alert {
        what: Subject::Run,
        name: told.name.clone(),
        status: now,
        previous: standing(ended.previous),
        repeats: same.len().max(1) as u32,
        hours_since_change: since / 3600.0,
        message: told.message.clone().unwrap_or_default(),
        host: told.host.clone(),
        hour: cx.world.clock.now().to_zoned(TimeZone::system()).hour() as u8,
    };
    match cx.ask(&facts) {
        Ok(Alarm::None) => Severity::None,
        Ok(Alarm::Note) => Severity::Note,
        Ok(Alarm::Page) => Severity::Page,
        Err(trouble) => {
            cx.world.warn(format!("policy alert: {trouble}"));
            severity(told)
        }
    }
}

/// What somebody is told.
fn end(cx: &Cx, ended: &Ended) -> RunEnd {
    let changed = |change: &Change| Changed {
        what: match &change.subject {
            Some(subject) => format!("{} {subject}", change.check),
            None => change.check.clone(),
        },
        from: change.from.clone(),
        to: change.to.clone(),
    };
    RunEnd {
        name: summary::name(&ended.script),
        run: ended.run,
        exit: ended.exit,
        previous: ended.previous,
        message: ended.message.clone(),
        seconds: (ended.until - ended.began).max(0.0),
        host: host(),
        user: user(),
        digest: digest(cx, ended),
        changed: ended.changes.iter().map(changed).collect(),
    }
}

/// What went wrong, line by line.
fn digest(cx: &Cx, ended: &Ended) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(detail) = &ended.detail {
        let failed = detail.steps.iter().filter(|s| s.failed_in(detail.run.attempt));
        lines.extend(failed.flat_map(|step| {
            let message = step.message.as_ref().map(|m| format!(": {m}")).unwrap_or_default();
            let first = format!("step {} failed{message}", step.name);
            std::iter::once(first).chain(step.explained().into_iter().map(|line| format!("  {line}")))
        }));
        lines.extend(packages(cx, detail, ended.began));
    }
    // Old installers say only at the end what failed, the new one as it goes.
    for told in &ended.failed {
        let known = |line: &String| line.split([' ', '/']).next() == told.split([' ', '/']).next();
        if !lines.iter().any(known) {
            lines.push(told.clone());
        }
    }
    let bad = ended.findings.iter().filter(|f| f.status >= Status::Warn);
    lines.extend(bad.map(|f| format!("{} {}", f.status.name(), summary::finding(f))));
    if ended.exit > 0
        && let Some(log) = ended.detail.as_ref().and_then(|d| d.log.as_ref())
    {
        lines.push(format!("log: {log}"));
    }
    lines
}

/// Packages that failed in this attempt, as the run's log has them.
fn packages(cx: &Cx, detail: &RunDetail, began: f64) -> Vec<String> {
    let Some(log) = detail.log.as_ref().map(Path::new) else { return Vec::new() };
    if cx.world.eyes.lstat(log).map_or(true, |stat| stat.size > SEARCHED) {
        return Vec::new();
    }
    let text = cx.world.eyes.read_text(log).unwrap_or_default();
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| line.contains("package_failed")) {
        let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
        let time = line.get("time").and_then(Value::as_str).and_then(|t| t.parse::<jiff::Timestamp>().ok());
        if time.is_none_or(|t| (t.as_microsecond() as f64) < began * 1e6) {
            continue;
        }
        if let Ok(Event::PackageFailed { name, hash, log }) = serde_json::from_value(line) {
            let told = package(&name, hash.as_deref(), log.as_deref());
            if !lines.contains(&told) {
                lines.push(told);
            }
        }
    }
    lines
}

fn package(name: &str, hash: Option<&str>, log: Option<&str>) -> String {
    let hash = hash.and_then(|h| h.get(..7)).map(|h| format!("/{h}")).unwrap_or_default();
    let log = log.map(|l| format!("; log: {l}")).unwrap_or_default();
    format!("{name}{hash} failed{log}")
}

/// The packages in an error of Spack.
fn named(trouble: &Trouble) -> Vec<String> {
    let failed = trouble.facts().get("failed").and_then(Value::as_array);
    let text = |failure: &Value, key: &str| failure.get(key).and_then(Value::as_str).map(str::to_owned);
    let line = |failure: &Value| {
        let (hash, log) = (text(failure, "hash"), text(failure, "log"));
        Some(package(&text(failure, "name")?, hash.as_deref(), log.as_deref()))
    };
    failed.into_iter().flatten().filter_map(line).collect()
}

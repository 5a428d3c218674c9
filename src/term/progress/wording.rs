//! Events in words, and from which detail on they are worth a line.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::base::words;
use crate::term::printer::Detail;
use crate::world::Event;
use crate::world::scope::event::Level;

/// A line of a run's log in words.
pub fn recorded(line: &serde_json::Value) -> Option<String> {
    let time: jiff::Timestamp = line.get("time")?.as_str()?.parse().ok()?;
    let time = time.to_zoned(TimeZone::system()).strftime("%F %T");
    let event: Event = serde_json::from_value(line.clone()).ok()?;
    let text = match &event {
        Event::Message { level, text, .. } if *level >= Level::Warn => {
            format!("{}: {text}", if *level == Level::Warn { "warning" } else { "error" })
        }
        Event::Message { text, .. } => text.clone(),
        event => describe(event)?,
    };
    Some(format!("{time} {text}"))
}

/// From which detail on an event is worth a line.
pub fn level(event: &Event) -> Detail {
    match event {
        Event::PackageFailed { .. } | Event::Message { level: Level::Warn | Level::Error, .. } => {
            Detail::Quiet
        }
        Event::Line { .. }
        | Event::PackagePhase { .. }
        | Event::PackagePresent { .. }
        | Event::Started { .. }
        | Event::ItemStarted { .. }
        | Event::ItemProgress { .. }
        | Event::CheckStarted { .. }
        | Event::CheckFinished { .. }
        | Event::Message { level: Level::Debug, .. } => Detail::Verbose,
        _ => Detail::Normal,
    }
}

pub fn describe(event: &Event) -> Option<String> {
    let short = |hash: &Option<String>| {
        hash.as_ref().map(|h| format!("/{}", h.get(..7).unwrap_or(h))).unwrap_or_default()
    };
    Some(match event {
        Event::Line { text, .. } => format!("| {text}"),
        Event::Started { what } => format!("{what} …"),
        Event::Finished { what, seconds, ok } => {
            format!("{what}: {} after {}", ended(*ok), span(*seconds))
        }
        Event::StepStarted { name } => format!("step {name} …"),
        Event::StepFinished { name, state, seconds } => {
            format!("step {name}: {state} after {}", span(*seconds))
        }
        Event::PackageStarted { name, hash, number, of } => match (number, of) {
            (Some(n), Some(of)) => format!("{name}{} started ({n} of {of})", short(hash)),
            _ => format!("{name}{} started", short(hash)),
        },
        Event::PackagePhase { name, phase } => format!("{name}: {phase}"),
        Event::PackageFromCache { name, hash } => format!("{name}{} from a build cache", short(hash)),
        Event::PackageFinished { name, hash } => format!("{name}{} installed", short(hash)),
        Event::PackagePresent { prefix } => format!("{prefix} was there before"),
        Event::PackageFailed { name, hash, log } => {
            let log = log.as_ref().map(|l| format!("; log: {l}")).unwrap_or_default();
            format!("{name}{} failed{log}", short(hash))
        }
        Event::ItemStarted { what, name, .. } => format!("{what} {name} …"),
        Event::ItemFinished { what, name, seconds, ok } => {
            format!("{what} {name}: {} after {}", ended(*ok), span(*seconds))
        }
        Event::CheckStarted { name } => format!("check {name} …"),
        Event::CheckFinished { name, status, seconds } => {
            format!("check {name}: {status} after {}", span(*seconds))
        }
        // How far something is, is drawn or not told at all. Messages are said elsewhere; new events are silent until they have words.
        _ => return None,
    })
}

fn ended(ok: bool) -> &'static str {
    if ok { "done" } else { "failed" }
}

fn span(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map(words::span).unwrap_or_default()
}

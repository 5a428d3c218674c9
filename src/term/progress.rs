//! Progress as it happens: lines with times for logs and cron, one redrawn line on a terminal, JSON lines for
//! programs. What a script says with `log.*` goes the same way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use anstyle::AnsiColor;
use jiff::tz::TimeZone;

use super::printer::{Detail, Printer};
use crate::base::clock::Clock;
use crate::base::words;
use crate::world::event::Level;
use crate::world::{Event, Watcher};

/// Draws events through a printer.
pub struct Progress {
    printer: Arc<Printer>,
    clock: Clock,
    /// What is going on, by name, with its phase.
    running: Mutex<BTreeMap<String, String>>,
}

impl Progress {
    pub fn new(printer: Arc<Printer>, clock: Clock) -> Progress {
        Progress { printer, clock, running: Mutex::default() }
    }

    fn stamp(&self) -> String {
        self.clock.now().to_zoned(TimeZone::system()).strftime("%F %T").to_string()
    }

    /// A line for a log: with its time, unless somebody sits before it.
    fn say(&self, text: &str) {
        if self.printer.live {
            self.printer.line(text);
        } else {
            self.printer.line(&format!("{} {text}", self.stamp()));
        }
    }

    fn update(&self, event: &Event) {
        let Ok(mut running) = self.running.lock() else { return };
        match event {
            Event::Started { what } => drop(running.insert(what.clone(), String::new())),
            Event::PackageStarted { name, number, of, .. } => {
                let place = match (number, of) {
                    (Some(n), Some(of)) => format!(" ({n} of {of})"),
                    _ => String::new(),
                };
                running.insert(name.clone(), place);
            }
            Event::PackagePhase { name, phase } => drop(running.insert(name.clone(), format!(": {phase}"))),
            Event::Finished { what, .. } => drop(running.remove(what)),
            Event::PackageFinished { name, .. }
            | Event::PackageFailed { name, .. }
            | Event::PackageFromCache { name, .. } => drop(running.remove(name)),
            _ => return,
        }
        let names: Vec<String> = running.iter().map(|(name, state)| format!("{name}{state}")).collect();
        drop(running);
        self.printer.status(&names.join(", "));
    }

    fn message(&self, level: Level, text: &str, fields: &serde_json::Map<String, serde_json::Value>) {
        let wanted = match level {
            Level::Debug => Detail::Verbose,
            Level::Info => Detail::Normal,
            Level::Warn | Level::Error => Detail::Quiet,
        };
        if self.printer.detail < wanted {
            return;
        }
        let mark = match level {
            Level::Debug => String::from("debug: "),
            Level::Info => String::new(),
            Level::Warn => format!("{}: ", self.printer.paint("warning", AnsiColor::Yellow)),
            Level::Error => format!("{}: ", self.printer.paint("error", AnsiColor::Red)),
        };
        let mut line = format!("{mark}{text}");
        for (name, value) in fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line.push_str(&format!(" {name}={value}"));
        }
        self.say(&line);
    }
}

impl Watcher for Progress {
    fn see(&self, event: &Event) {
        if self.printer.json {
            if level(event) <= self.printer.detail {
                let mut line = serde_json::to_value(event).unwrap_or_default();
                line["time"] = self.clock.now().to_string().into();
                self.printer.line(&line.to_string());
            }
            return;
        }
        if self.printer.live {
            self.update(event);
        }
        if let Event::Message { level, text, fields } = event {
            self.message(*level, text, fields);
        } else if level(event) <= self.printer.detail
            && let Some(text) = describe(event)
        {
            self.say(&text);
        }
    }
}

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
fn level(event: &Event) -> Detail {
    match event {
        Event::PackageFailed { .. } | Event::Message { level: Level::Warn | Level::Error, .. } => {
            Detail::Quiet
        }
        Event::Line { .. }
        | Event::PackagePhase { .. }
        | Event::PackagePresent { .. }
        | Event::Started { .. }
        | Event::Message { level: Level::Debug, .. } => Detail::Verbose,
        _ => Detail::Normal,
    }
}

fn describe(event: &Event) -> Option<String> {
    let short = |hash: &Option<String>| {
        hash.as_ref().map(|h| format!("/{}", h.get(..7).unwrap_or(h))).unwrap_or_default()
    };
    Some(match event {
        Event::Line { text, .. } => format!("| {text}"),
        Event::Started { what } => format!("{what} …"),
        Event::Finished { what, seconds, ok } => {
            let end = if *ok { "done" } else { "failed" };
            let span = std::time::Duration::try_from_secs_f64(*seconds).map(words::span).unwrap_or_default();
            format!("{what}: {end} after {span}")
        }
        Event::StepStarted { name } => format!("step {name} …"),
        Event::StepFinished { name, state, seconds } => {
            let span = std::time::Duration::try_from_secs_f64(*seconds).map(words::span).unwrap_or_default();
            format!("step {name}: {state} after {span}")
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
        // Messages are said elsewhere; new events are silent until they have words.
        _ => return None,
    })
}

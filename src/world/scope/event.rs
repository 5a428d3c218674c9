//! Progress and messages leave the domains as events; who draws or logs them is not their business.
//!
//! As JSON lines (`--events`, the log of a run) each event is one object: its name in `event`, when it was in `time`,
//! the step of the run that it belongs to in `step` where there is one, and its own fields. Names and fields stay as
//! they are; new ones may come.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cancel::Cancel;
use crate::base::clock::Clock;

/// Something that happened and that a person or a log may want to see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A line of a program that is running.
    Line {
        stream: Stream,
        text: String,
    },
    /// Long work began.
    Started {
        what: String,
    },
    /// Long work ended.
    Finished {
        what: String,
        seconds: f64,
        ok: bool,
    },
    /// A step of a run began.
    StepStarted {
        name: String,
    },
    /// A step ended: `ok`, `failed`, `skipped`, `undone`, or `kept` where it was done before.
    StepFinished {
        name: String,
        state: String,
        seconds: f64,
    },
    /// Spack began with a package.
    PackageStarted {
        name: String,
        hash: Option<String>,
        number: Option<u32>,
        of: Option<u32>,
    },
    /// A package's build entered a phase.
    PackagePhase {
        name: String,
        phase: String,
    },
    /// A package comes from a build cache.
    PackageFromCache {
        name: String,
        hash: Option<String>,
    },
    PackageFinished {
        name: String,
        hash: Option<String>,
    },
    /// Was there before.
    PackagePresent {
        prefix: String,
    },
    PackageFailed {
        name: String,
        hash: Option<String>,
        log: Option<String>,
    },
    /// Work on one thing that can be measured began: a copy, a list that is gone through.
    ItemStarted {
        /// What is done with it: "copy".
        what: String,
        name: String,
        total: Option<u64>,
        unit: Unit,
    },
    /// How far it is.
    ItemProgress {
        what: String,
        name: String,
        done: u64,
        total: Option<u64>,
        unit: Unit,
    },
    ItemFinished {
        what: String,
        name: String,
        seconds: f64,
        ok: bool,
    },
    /// A health check began.
    CheckStarted {
        name: String,
    },
    /// It ended; `status` is the worst of its findings (`pass`, `skipped`, `warn`, `fail`), or `cancelled`.
    CheckFinished {
        name: String,
        status: String,
        seconds: f64,
    },
    /// What the script says with `log.*`.
    Message {
        level: Level,
        text: String,
        fields: serde_json::Map<String, Value>,
    },
}

/// What an item is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Bytes,
    #[default]
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    Stdout,
    Stderr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

impl Event {
    /// The event as programs read it.
    pub fn line(&self, clock: &Clock) -> Value {
        let mut line = serde_json::to_value(self).unwrap_or_default();
        line["time"] = clock.now().to_string().into();
        if let Some(step) = Cancel::current().and_then(|scope| scope.task_path().step.clone()) {
            line["step"] = step.into();
        }
        line
    }
}

/// Work that was told of, and whose end is told of however it ends: a cancel drops it in the middle.
pub struct Underway {
    watcher: Arc<dyn Watcher>,
    begun: Instant,
    lost: Option<Box<Lost>>,
}

type Lost = dyn FnOnce(f64) -> Event + Send;

impl Underway {
    /// Tells that it begins; `lost` makes the event for the case that nobody ends it, given the seconds it took.
    pub fn begin(
        watcher: &Arc<dyn Watcher>,
        started: Event,
        lost: impl FnOnce(f64) -> Event + Send + 'static,
    ) -> Underway {
        watcher.see(&started);
        Underway { watcher: Arc::clone(watcher), begun: Instant::now(), lost: Some(Box::new(lost)) }
    }

    pub fn end(mut self, finished: Event) {
        self.lost = None;
        self.watcher.see(&finished);
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if let Some(lost) = self.lost.take() {
            self.watcher.see(&lost(self.begun.elapsed().as_secs_f64()));
        }
    }
}

/// Work on one thing that can be measured; cancelled or failed, it is told of as not done.
pub struct Item {
    what: String,
    name: String,
    total: Option<u64>,
    unit: Unit,
    underway: Underway,
}

impl Item {
    /// `what` is done with it: "copy".
    pub fn begin(watcher: &Arc<dyn Watcher>, what: &str, name: &str, total: Option<u64>, unit: Unit) -> Item {
        let (what, name) = (what.to_owned(), name.to_owned());
        let started = Event::ItemStarted { what: what.clone(), name: name.clone(), total, unit };
        let lost = finished(what.clone(), name.clone(), false);
        Item { underway: Underway::begin(watcher, started, lost), what, name, total, unit }
    }

    /// Tells how far it is. Who draws or logs sees to it that this is not too often; telling is cheap.
    pub fn progress(&self, done: u64) {
        let Item { what, name, total, unit, .. } = self;
        let (what, name) = (what.clone(), name.clone());
        let event = Event::ItemProgress { what, name, done, total: *total, unit: *unit };
        self.underway.watcher.see(&event);
    }

    pub fn end(self) {
        let seconds = self.underway.begun.elapsed().as_secs_f64();
        self.underway.end(finished(self.what, self.name, true)(seconds));
    }
}

fn finished(what: String, name: String, ok: bool) -> impl FnOnce(f64) -> Event + Send {
    move |seconds| Event::ItemFinished { what, name, seconds, ok }
}

/// Sees events. Called from any thread; must not block for long.
pub trait Watcher: Send + Sync {
    fn see(&self, event: &Event);
}

impl dyn Watcher + '_ {
    /// Tells of something that a person may want to know.
    pub fn say(&self, text: String) {
        self.message(Level::Info, text);
    }

    /// Tells of something that did not stop the work, but that a person should know.
    pub fn warn(&self, text: String) {
        self.message(Level::Warn, text);
    }

    fn message(&self, level: Level, text: String) {
        self.see(&Event::Message { level, text, fields: serde_json::Map::new() });
    }
}

/// Sees nothing.
#[derive(Debug, Default)]
pub struct Blind;

impl Watcher for Blind {
    fn see(&self, _: &Event) {}
}

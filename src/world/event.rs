//! Progress and messages leave the domains as events; who draws or logs them is not their business.

use serde::{Deserialize, Serialize};

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
    /// What the script says with `log.*`.
    Message {
        level: Level,
        text: String,
        fields: serde_json::Map<String, serde_json::Value>,
    },
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

/// Sees events. Called from any thread; must not block for long.
pub trait Watcher: Send + Sync {
    fn see(&self, event: &Event);
}

/// Sees nothing.
#[derive(Debug, Default)]
pub struct Blind;

impl Watcher for Blind {
    fn see(&self, _: &Event) {}
}

//! What a plan writes down, and what those may use who find out for it what a program would do.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::input::Input;
use crate::base::{Result, Trouble, redact};
use crate::world::fs::eyes::Eyes;
use crate::world::fs::overlay::Overlay;
use crate::world::proc::process;
use crate::world::proc::program::{Program, Ran};
use crate::world::scope::event::{Event, Underway, Watcher};
use crate::world::scope::identity::Identity;
use crate::world::seam::performing::Performing;

/// Where a plan is written down while it is made.
pub struct Desk {
    /// Is told of what really runs.
    pub watcher: Arc<dyn Watcher>,
    pub report: Mutex<Report>,
    pub scratch: Mutex<Option<tempfile::TempDir>>,
}

impl Desk {
    pub fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn guard(&self, guard: Guard) {
        let mut report = self.report();
        if !report.guards.contains(&guard) {
            report.guards.push(guard);
        }
    }

    pub fn scratch(&self) -> Result<PathBuf> {
        let mut scratch = self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = scratch.as_ref() {
            return Ok(made.path().to_owned());
        }
        let within = std::env::temp_dir();
        let made = tempfile::Builder::new()
            .prefix("moonstack-plan-")
            .tempdir_in(&within)
            .map_err(|e| Trouble::io("create a folder in", &within, e))?;
        let path = made.path().to_owned();
        *scratch = Some(made);
        Ok(path)
    }
}

/// What a rehearsal may use.
pub struct PlanContext<'a> {
    /// The machine with what was pretended so far.
    pub eyes: &'a dyn Eyes,
    pub overlay: &'a Overlay,
    pub(super) desk: &'a Desk,
    pub(super) found: Mutex<(Vec<String>, Map<String, Value>)>,
}

impl PlanContext<'_> {
    /// A folder for real files that a real program needs; it goes with the plan.
    pub fn scratch(&self) -> Result<PathBuf> {
        self.desk.scratch()
    }

    /// Runs a program for real. It must change nothing outside of the scratch folder.
    pub async fn run(&self, program: Program) -> Result<Ran> {
        let words = redact::argv(program.shown.as_ref().unwrap_or(&program.argv));
        let what = format!("for the plan: {}", words.join(" "));
        let finished = |what, ok| move |seconds| Event::Finished { what, seconds, ok };
        let started = Event::Started { what: what.clone() };
        let underway = Underway::begin(&self.desk.watcher, started, finished(what.clone(), false));
        let ran = process::run(program).await?;
        underway.end(finished(what, ran.ok())(ran.seconds));
        self.desk.report().program_seconds += ran.seconds;
        Ok(ran)
    }

    pub fn assume(&self, what: impl Into<String>) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).0.push(what.into());
    }

    pub fn detail(&self, topic: &str, value: impl Serialize) {
        let value = serde_json::to_value(value).unwrap_or_default();
        self.found.lock().unwrap_or_else(PoisonError::into_inner).1.insert(topic.to_owned(), value);
    }

    pub fn guard(&self, name: &str, stops: bool, message: impl Into<String>) {
        self.desk.guard(Guard { name: name.to_owned(), stops, message: message.into() });
    }
}

/// Finds out what a program would do, or runs one that only looks against what was pretended so far.
#[derive(Clone)]
pub struct Rehearsal(pub Arc<Rehearse>);

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rehearsal")
    }
}

type Rehearse = dyn for<'a> Fn(&'a PlanContext<'a>, Program) -> Performing<'a, Ran> + Send + Sync;

/// Everything that was recorded.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub actions: Vec<Planned>,
    pub inputs: Vec<Input>,
    pub guards: Vec<Guard>,
    /// How long real programs ran for it.
    pub program_seconds: f64,
}

/// One action of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    #[serde(flatten)]
    pub identity: Identity,
    /// What could not be predicted, and was taken as good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assumed: Vec<String>,
    /// What whoever knows the program found out, by topic.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
}

/// Something that would stop the run, or that was looked at because it could.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Guard {
    pub name: String,
    pub stops: bool,
    pub message: String,
}

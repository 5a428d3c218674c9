//! Pretends: records each action, predicts what it would leave behind, and lays that over the machine so that
//! later looks agree. Nothing is changed but a scratch folder, which goes with the plan.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::action::{Action, Effect, Outcome, Program, Ran};
use super::hands::{Hands, Look, Performing};
use super::input::{Input, InputKind};
use crate::base::{Kind, Result, Trouble, redact};
use crate::world::World;
use crate::world::fs::eyes::{Eyes as _, FileKind};
use crate::world::fs::overlay::{LayeredEyes, Overlay};
use crate::world::fs::own_lock::{self, OwnLock};
use crate::world::proc::process;
use crate::world::scope::event::{Event, Underway, Watcher};
use crate::world::scope::identity::{Identity, Naming};

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

/// Everything that was recorded.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub actions: Vec<Planned>,
    pub inputs: Vec<Input>,
    pub guards: Vec<Guard>,
    /// How long real programs ran for it.
    pub program_seconds: f64,
}

type Rehearse = dyn for<'a> Fn(&'a Scene<'a>, Program) -> Performing<'a, Ran> + Send + Sync;

/// Finds out what a program would do, or runs one that only looks against what was pretended so far.
#[derive(Clone)]
pub struct Rehearsal(pub Arc<Rehearse>);

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rehearsal")
    }
}

/// What a rehearsal may use.
pub struct Scene<'a> {
    pub world: &'a World,
    pub overlay: &'a Overlay,
    hands: &'a PlanningHands,
    found: Mutex<(Vec<String>, Map<String, Value>)>,
}

impl Scene<'_> {
    /// A folder for real files that a real program needs; it goes with the plan.
    pub fn scratch(&self) -> Result<PathBuf> {
        self.hands.scratch()
    }

    /// Runs a program for real. It must change nothing outside of the scratch folder.
    pub async fn run(&self, program: Program) -> Result<Ran> {
        let words = redact::argv(program.shown.as_ref().unwrap_or(&program.argv));
        let what = format!("for the plan: {}", words.join(" "));
        let finished = |what, ok| move |seconds| Event::Finished { what, seconds, ok };
        let started = Event::Started { what: what.clone() };
        let underway = Underway::begin(&self.hands.watcher, started, finished(what.clone(), false));
        let ran = process::run(program).await?;
        underway.end(finished(what, ran.ok())(ran.seconds));
        self.hands.held().program_seconds += ran.seconds;
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
        self.hands.guard(Guard { name: name.to_owned(), stops, message: message.into() });
    }
}

/// Hands that pretend.
pub struct PlanningHands {
    overlay: Arc<Overlay>,
    watcher: Arc<dyn Watcher>,
    naming: Naming,
    report: Mutex<Report>,
    scratch: Mutex<Option<tempfile::TempDir>>,
}

impl PlanningHands {
    /// The watcher is told of what really runs.
    pub fn new(watcher: Arc<dyn Watcher>) -> (Arc<PlanningHands>, Arc<LayeredEyes>) {
        let overlay = Arc::new(Overlay::default());
        let hands = PlanningHands {
            overlay: Arc::clone(&overlay),
            watcher,
            naming: Naming::default(),
            report: Mutex::default(),
            scratch: Mutex::default(),
        };
        (Arc::new(hands), Arc::new(LayeredEyes(overlay)))
    }

    fn held(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn report(&self) -> Report {
        self.held().clone()
    }

    fn guard(&self, guard: Guard) {
        let mut report = self.held();
        if !report.guards.contains(&guard) {
            report.guards.push(guard);
        }
    }

    fn scratch(&self) -> Result<PathBuf> {
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

    async fn pretend(&self, world: &World, action: Action) -> Result<Outcome> {
        let rehearsal = match &action {
            Action::RunProgram { program, .. } => program.rehearsal.clone(),
            _ => None,
        };
        if action.effect() == Effect::Reads {
            let Action::RunProgram { program, .. } = action else { return Ok(Outcome::Done) };
            let scene = self.scene(world);
            return match rehearsal {
                Some(rehearsal) => (rehearsal.0)(&scene, program).await,
                None => scene.run(program).await,
            }
            .map(Outcome::Ran);
        }
        // The number of a task's action is that of its begin, also when another task's is predicted sooner.
        let number = {
            let identity = Identity::of(&action, &self.naming);
            let mut report = self.held();
            report.actions.push(Planned { identity, assumed: Vec::new(), details: Map::new() });
            report.actions.len() - 1
        };
        let Action::RunProgram { program, .. } = action else {
            return pretend_files(&self.overlay, action).map(|()| Outcome::Done);
        };
        let scene = self.scene(world);
        let ran = if let Some(rehearsal) = rehearsal {
            (rehearsal.0)(&scene, program).await
        } else {
            scene.assume("the program ends well and changes nothing that the script looks at");
            Ok(Ran { code: Some(0), ..Ran::default() })
        };
        let (assumed, details) = scene.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(planned) = self.held().actions.get_mut(number) {
            planned.assumed = assumed;
            planned.details = details;
        }
        ran.map(Outcome::Ran)
    }

    fn scene<'a>(&'a self, world: &'a World) -> Scene<'a> {
        Scene { world, overlay: &self.overlay, hands: self, found: Mutex::default() }
    }
}

/// Fails where the real change would, as far as looking can tell.
fn pretend_files(overlay: &Arc<Overlay>, action: Action) -> Result<()> {
    let eyes = LayeredEyes(Arc::clone(overlay));
    let missing = |what: &str, path: &Path| Trouble::io(what, path, std::io::ErrorKind::NotFound.into());
    match action {
        Action::WriteFile { path, bytes, mode, .. } => {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !eyes.is_folder(folder) {
                return Err(missing("write", &path));
            }
            if eyes.is_folder(&path) {
                return Err(Trouble::io("write", &path, std::io::ErrorKind::IsADirectory.into()));
            }
            overlay.write(&path, bytes, mode);
        }
        Action::WriteRecord { path, bytes, .. } => overlay.write(&path, bytes, None),
        Action::MakeFolder { path } => overlay.make_folder(&path),
        Action::MakeTempFolder { path } => {
            let within = path.parent().unwrap_or(Path::new("/"));
            if !eyes.is_folder(within) {
                return Err(missing("create", &path));
            }
            overlay.make_folder(&path);
        }
        Action::MovePath { from, to } => {
            eyes.lstat(&from).map_err(|_| missing("move", &from))?;
            overlay.rename(&from, &to);
        }
        Action::RemovePath { path } => {
            eyes.lstat(&path).map_err(|_| missing("remove", &path))?;
            overlay.remove(&path);
        }
        Action::PointLink { path, target } => {
            if eyes.lstat(&path).is_ok_and(|stat| stat.kind != FileKind::Link) {
                let message = format!("{} is there and is no link", path.display());
                return Err(Trouble::new(Kind::Refused, message));
            }
            let folder = path.parent().unwrap_or(Path::new("/"));
            if !eyes.is_folder(folder) {
                return Err(missing("point the link", &path));
            }
            overlay.point(&path, &target);
        }
        Action::RunProgram { .. } | Action::Share(_) | Action::Notify { .. } => {}
    }
    Ok(())
}

impl Hands for PlanningHands {
    fn perform<'a>(&'a self, world: &'a World, action: Action) -> Performing<'a> {
        Box::pin(self.pretend(world, action))
    }

    fn keep<'a>(&'a self, _world: &'a World, action: Action) -> Performing<'a> {
        // Our own files may lie in folders that only a run makes.
        if let Action::WriteFile { path, .. } = &action
            && let Some(folder) = path.parent()
        {
            self.overlay.make_folder(folder);
        }
        Box::pin(async move { pretend_files(&self.overlay, action).map(|()| Outcome::Done) })
    }

    fn lock<'a>(
        &'a self,
        path: PathBuf,
        what: &'a str,
        patience: Duration,
    ) -> Performing<'a, Option<OwnLock>> {
        Box::pin(async move {
            if let Some(holder) = own_lock::held_by(&path) {
                let stops = patience.is_zero();
                let end = if stops { "the run would be refused" } else { "the run would wait" };
                let message = format!("{holder} is at work on {what}: {end}");
                self.guard(Guard { name: String::from("lock"), stops, message });
            }
            Ok(None)
        })
    }

    fn depends(&self, kind: InputKind, name: &str, parts: &[&str], look: &Look<'_>) -> Result<()> {
        let is_it = |known: &Input| known.kind == kind && known.name == name;
        // What was seen first is what was there before anything was pretended.
        let new = match self.held().inputs.iter().find(|k| is_it(k)) {
            None => parts.to_vec(),
            Some(known) => match known.unknown(parts) {
                new if new.is_empty() => return Ok(()),
                new => new,
            },
        };
        let input = look(&new)?;
        let mut report = self.held();
        match report.inputs.iter_mut().find(|k| is_it(k)) {
            Some(known) => known.add(&input),
            None => report.inputs.push(input),
        }
        Ok(())
    }

    fn pretends(&self) -> bool {
        true
    }
}

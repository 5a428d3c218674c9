//! Pretends: records each action, predicts what it would leave behind, and lays that over the machine so that
//! later looks agree. Nothing is changed but a scratch folder, which goes with the plan.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Map;

use super::action::{Action, Effect, Outcome};
use super::hands::{Hands, ReadInput};
use super::input::{Input, InputKind};
use super::world::World;
use crate::base::{Kind, Result, Trouble};
use crate::world::fs::eyes::{Eyes as _, FileKind};
use crate::world::fs::overlay::{LayeredEyes, Overlay};
use crate::world::fs::real;
use crate::world::proc::program::Ran;
use crate::world::scope::event::Watcher;
use crate::world::seam::naming::Naming;
use crate::world::seam::performing::Performing;
use crate::world::seam::scene::{Desk, Guard, PlanContext, Planned, Report};
use crate::world::state::holder;
use crate::world::state::own_lock::OwnLock;

/// Hands that pretend.
pub struct PlanningHands {
    overlay: Arc<Overlay>,
    naming: Naming,
    desk: Desk,
}

impl PlanningHands {
    /// The watcher is told of what really runs.
    pub fn new(watcher: Arc<dyn Watcher>) -> (Arc<PlanningHands>, Arc<LayeredEyes>) {
        let overlay = Arc::new(Overlay::default());
        let hands = PlanningHands {
            overlay: Arc::clone(&overlay),
            naming: Naming::default(),
            desk: Desk { watcher, report: Mutex::default(), scratch: Mutex::default() },
        };
        (Arc::new(hands), Arc::new(LayeredEyes(overlay)))
    }

    fn held(&self) -> MutexGuard<'_, Report> {
        self.desk.report()
    }

    pub fn report(&self) -> Report {
        self.held().clone()
    }

    async fn plan(&self, world: &World, action: Action) -> Result<Outcome> {
        let rehearsal = match &action {
            Action::RunProgram { rehearsal, .. } => rehearsal.clone(),
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
            let identity = self.naming.identity(&action);
            let mut report = self.held();
            report.actions.push(Planned { identity, assumed: Vec::new(), details: Map::new() });
            report.actions.len() - 1
        };
        let Action::RunProgram { program, .. } = action else {
            return plan_files(&self.overlay, action).map(|()| Outcome::Done);
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

    fn scene<'a>(&'a self, world: &'a World) -> PlanContext<'a> {
        PlanContext { eyes: &*world.eyes, overlay: &self.overlay, desk: &self.desk, found: Mutex::default() }
    }
}

/// Fails where the real change would, as far as looking can tell.
fn plan_files(overlay: &Arc<Overlay>, action: Action) -> Result<()> {
    let eyes = LayeredEyes(Arc::clone(overlay));
    let missing = |what: &str, path: &Path| Trouble::io(what, path, std::io::ErrorKind::NotFound.into());
    match action {
        Action::WriteFile { path, bytes, mode, .. } => {
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if !eyes.is_folder(folder)? {
                return Err(missing("write", &path));
            }
            let place = real::target(&eyes, &path)?;
            match eyes.stat(&place).map(|stat| stat.kind) {
                Ok(FileKind::Folder) => {
                    return Err(Trouble::io("write", &path, std::io::ErrorKind::IsADirectory.into()));
                }
                // A device or a FIFO is as it was before.
                Ok(FileKind::Other) => {}
                _ => overlay.write(&place, bytes, mode),
            }
        }
        Action::WriteOutput { path, bytes, .. } | Action::WriteRecord { path, bytes, .. } => {
            overlay.write(&path, bytes, None);
        }
        Action::MakeFolder { path } => overlay.make_folder(&path),
        Action::MakeTempFolder { path } => {
            let within = path.parent().unwrap_or(Path::new("/"));
            if !eyes.is_folder(within)? {
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
        Action::PointLink { path, target, .. } => {
            if eyes.lstat(&path).is_ok_and(|stat| stat.kind != FileKind::Link) {
                let message = format!("{} is there and is no link", path.display());
                return Err(Trouble::new(Kind::Refused, message));
            }
            let folder = path.parent().unwrap_or(Path::new("/"));
            if !eyes.is_folder(folder)? {
                return Err(missing("point the link", &path));
            }
            overlay.point(&path, &target);
        }
        Action::RunProgram { .. } | Action::Share(_) | Action::Notify { .. } => {}
    }
    Ok(())
}

impl Hands for PlanningHands {
    fn perform<'a>(&'a self, world: &'a World, action: Action) -> Performing<'a, Outcome> {
        Box::pin(self.plan(world, action))
    }

    fn keep<'a>(&'a self, _world: &'a World, action: Action) -> Performing<'a, Outcome> {
        // Our own files may lie in folders that only a run makes.
        if let Action::WriteFile { path, .. } = &action
            && let Some(folder) = path.parent()
        {
            self.overlay.make_folder(folder);
        }
        Box::pin(async move { plan_files(&self.overlay, action).map(|()| Outcome::Done) })
    }

    fn lock<'a>(
        &'a self,
        path: PathBuf,
        what: &'a str,
        patience: Duration,
    ) -> Performing<'a, Option<OwnLock>> {
        Box::pin(async move {
            if let Some(holder) = holder::held_by(&path) {
                let stops = patience.is_zero();
                let end = if stops { "the run would be refused" } else { "the run would wait" };
                let message = format!("{holder} is at work on {what}: {end}");
                self.desk.guard(Guard { name: String::from("lock"), stops, message });
            }
            Ok(None)
        })
    }

    fn depends(&self, kind: InputKind, name: &str, parts: &[&str], look: &ReadInput<'_>) -> Result<()> {
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

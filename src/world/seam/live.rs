//! Performs actions for real and writes the journal around each.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::action::{Action, Effect, Outcome};
use super::hands::Hands;
use super::planned::PlannedActions;
use super::world::World;
use crate::base::{Kind, Result, Trouble};
use crate::world::fs::eyes::LiveEyes;
use crate::world::fs::share::{Sharing, share};
use crate::world::fs::{link, own_files, real, replace};
use crate::world::net::deliver;
use crate::world::proc::process;
use crate::world::proc::program::Ran;
use crate::world::scope::cancel::Cancel;
use crate::world::scope::postcondition::Postcondition;
use crate::world::scope::replay;
use crate::world::seam::naming::Naming;
use crate::world::seam::performing::Performing;
use crate::world::state::journal::Journal;
use crate::world::state::own_lock::{self, OwnLock};

pub struct LiveHands {
    journal: Option<Arc<Journal>>,
    /// The plan that is applied.
    expected: Option<Arc<PlannedActions>>,
    naming: Naming,
    temporary: Arc<TempFolders>,
}

impl LiveHands {
    /// Without a journal only in tests and for reading commands.
    pub fn new(journal: Option<Arc<Journal>>) -> Self {
        LiveHands { journal, expected: None, naming: Naming::default(), temporary: Arc::default() }
    }

    /// Hands that do what a plan says and nothing else.
    pub fn following(journal: Arc<Journal>, expected: Arc<PlannedActions>) -> Self {
        LiveHands { expected: Some(expected), ..LiveHands::new(Some(journal)) }
    }

    /// Our own records come into a folder that other admins of the site can write to as well.
    async fn ready(&self) -> Result<()> {
        let Some(journal) = self.journal.clone() else { return Ok(()) };
        blocking(move || journal.store().shared().ready().map(drop)).await.map(drop)
    }

    async fn change(&self, world: &World, action: Action) -> Result<Outcome> {
        match self.ready().await {
            Err(t) if goes_unrecorded(&action) => world.warn(format!("journal: {t}")),
            other => other?,
        }
        let Some(journal) = self.journal.as_deref() else { return act(world, action, &self.temporary).await };
        let identity = self.naming.identity(&action);
        let scope = Cancel::current().unwrap_or_default();
        if scope.task_path().recalls {
            let message = format!("{} is not on record as done", identity.title());
            return Err(Trouble::new(Kind::Refused, message));
        }
        if let Some(expected) = &self.expected {
            expected.next(&identity, journal.run()?, scope.task_path().undoes)?;
        }
        let subjects = action.subjects();
        let row = match journal.intend(&identity, &subjects) {
            Ok(row) => row,
            // A full disk is what somebody should be told of, and what users must be able to go back on.
            Err(t) if goes_unrecorded(&action) => {
                world.unrecorded(journal, &t);
                return act(world, action, &self.temporary).await;
            }
            Err(t) => return Err(t),
        };
        let left = Left::of(&action);
        let result = act(world, action, &self.temporary).await;
        let outcome = match &result {
            Ok(Outcome::Done) => "done".to_owned(),
            Ok(Outcome::Told(told)) => told.to_string(),
            Ok(Outcome::Ran(ran)) => match (ran.ended, ran.code, ran.signal) {
                (Some(why), ..) => format!("ended: {why:?}").to_lowercase(),
                (None, Some(code), _) => format!("exit {code}"),
                (None, None, signal) => format!("signal {}", signal.unwrap_or_default()),
            },
            Err(t) => format!("{}: {}", t.kind(), t.message()),
        };
        if let Ok(Outcome::Ran(Ran { unlogged: Some(why), .. })) = &result {
            journal.lose(&Trouble::new(Kind::Disk, why.as_str()));
            world.warn(format!("{why}; the program went on, and what it printed since is not on record"));
        }
        if result.is_ok() {
            left.prove(&subjects, identity.content.as_deref());
        }
        // The change is made; a journal that cannot be written now must not hide its result.
        if let Err(t) = journal.outcome(row, &outcome) {
            world.unrecorded(journal, &t);
        }
        result
    }
}

impl Hands for LiveHands {
    fn perform<'a>(&'a self, world: &'a World, action: Action) -> Performing<'a, Outcome> {
        Box::pin(async move {
            match action.effect() {
                Effect::Reads => act(world, action, &self.temporary).await,
                Effect::Changes => self.change(world, action).await,
            }
        })
    }

    fn keep<'a>(&'a self, world: &'a World, action: Action) -> Performing<'a, Outcome> {
        Box::pin(async move {
            self.ready().await?;
            match action {
                // Ours, where others may have put something in our way.
                Action::WriteFile { path, bytes, mode, .. } => {
                    blocking(move || own_files::write(&path, &bytes, mode)).await
                }
                Action::MakeFolder { path } => blocking(move || own_files::make_folder(&path)).await,
                other => act(world, other, &self.temporary).await,
            }
        })
    }

    fn lock<'a>(
        &'a self,
        path: PathBuf,
        what: &'a str,
        patience: Duration,
    ) -> Performing<'a, Option<OwnLock>> {
        Box::pin(async move {
            self.ready().await?;
            own_lock::own(&path, what, patience).await.map(Some)
        })
    }
}

/// What is done all the same where it cannot be put on record.
fn goes_unrecorded(action: &Action) -> bool {
    matches!(action, Action::Notify { .. } | Action::PointLink { .. })
}

/// What an action of a kind leaves behind at its paths.
enum Left {
    Content,
    There,
    Gone,
    Moved,
    Pointed(PathBuf),
    Unknown,
}

impl Left {
    fn of(action: &Action) -> Left {
        match action {
            Action::WriteFile { .. } => Left::Content,
            Action::WriteOutput { .. }
            | Action::MakeFolder { .. }
            | Action::MakeTempFolder { .. }
            | Action::WriteRecord { .. } => Left::There,
            Action::RemovePath { .. } => Left::Gone,
            Action::MovePath { .. } => Left::Moved,
            Action::PointLink { target, .. } => Left::Pointed(target.clone()),
            Action::RunProgram { .. } | Action::Share(_) | Action::Notify { .. } => Left::Unknown,
        }
    }

    fn prove(&self, subjects: &[PathBuf], content: Option<&str>) {
        let there = |path: &PathBuf| Postcondition::There { path: path.clone() };
        let absent = |path: &PathBuf| Postcondition::Absent { path: path.clone() };
        match (self, subjects) {
            (Left::Content, [path]) => replay::prove(match content {
                // A device or a FIFO keeps nothing that could be compared.
                Some(digest) if path.is_file() => {
                    Postcondition::File { path: path.clone(), digest: digest.to_owned() }
                }
                _ => there(path),
            }),
            (Left::There, [path]) => replay::prove(there(path)),
            (Left::Gone, [path]) => replay::prove(absent(path)),
            (Left::Pointed(target), [path]) => {
                replay::prove(Postcondition::Link { path: path.clone(), target: target.clone() });
            }
            (Left::Moved, [from, to]) => {
                replay::prove(absent(from));
                replay::prove(there(to));
            }
            _ => {}
        }
    }
}

async fn act(world: &World, action: Action, temporary: &Arc<TempFolders>) -> Result<Outcome> {
    if !matches!(action, Action::RunProgram { .. }) {
        for folder in action.subjects().iter().filter_map(|path| path.parent()) {
            real::target(&LiveEyes, folder)?;
        }
    }
    match action {
        Action::RunProgram { program, .. } => process::run(program).await.map(Outcome::Ran),
        Action::WriteFile { path, bytes, mode, .. } => {
            blocking(move || replace::write(&path, &bytes, mode)).await
        }
        Action::WriteOutput { path, bytes, mode } => {
            blocking(move || replace::write(&path, &bytes, mode)).await
        }
        Action::WriteRecord { path, bytes, .. } => {
            blocking(move || own_files::write(&path, &bytes, None)).await
        }
        Action::MakeFolder { path } => {
            blocking(move || std::fs::create_dir_all(&path).map_err(|e| Trouble::io("create", &path, e)))
                .await
        }
        Action::MakeTempFolder { path } => {
            let temporary = Arc::clone(temporary);
            blocking(move || temporary.make(path)).await
        }
        Action::MovePath { from, to } => {
            blocking(move || std::fs::rename(&from, &to).map_err(|e| Trouble::io("move", &from, e))).await
        }
        Action::RemovePath { path } => blocking(move || remove(&path)).await,
        Action::PointLink { path, target, ready } => {
            blocking(move || link::point(&path, &target, ready.as_deref())).await
        }
        Action::Share(what) => {
            let world = world.clone();
            blocking(move || shared(&world, &what)).await
        }
        Action::Notify { message, target } => {
            Ok(Outcome::Told(deliver::deliver(&*world.watcher, message, target).await))
        }
    }
}

fn shared(world: &World, what: &Sharing) -> Result<()> {
    let done = share(what)?;
    if let Some(first) = done.foreign.first() {
        let others = match done.foreign.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        world.warn(format!(
            "{}{others} belong to somebody else and are not as the site file says ({})",
            first.display(),
            what.access
        ));
    }
    Ok(())
}

/// Folders that go when the hands do, at the end of the process.
#[derive(Default)]
struct TempFolders(Mutex<Vec<PathBuf>>);

impl TempFolders {
    fn make(&self, path: PathBuf) -> Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        // Never an existing folder: in a shared temporary directory somebody else may have put it there.
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|e| Trouble::io("create", &path, e))?;
        if let Ok(mut made) = self.0.lock() {
            made.push(path);
        }
        Ok(())
    }
}

impl Drop for TempFolders {
    fn drop(&mut self) {
        for path in self.0.lock().map(|mut made| std::mem::take(&mut *made)).unwrap_or_default() {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// Removes a file, link or whole folder; never follows a link.
fn remove(path: &Path) -> Result<()> {
    let fail = |e| Trouble::io("remove", path, e);
    let meta = std::fs::symlink_metadata(path).map_err(fail)?;
    if meta.is_dir() {
        std::fs::remove_dir_all(path).map_err(fail)
    } else {
        std::fs::remove_file(path).map_err(fail)
    }
}

async fn blocking(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<Outcome> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| Trouble::new(Kind::Internal, format!("file work: {e}")))?
        .map(|()| Outcome::Done)
}

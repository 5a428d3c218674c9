//! What the tests share. Here a machine: live hands in a folder of its own, and what was printed and told.

pub mod checks_bed;
pub mod dice;
pub mod lab;
pub mod modules;
pub mod runs_bed;
pub mod trial;
pub mod unattended;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moonstack::base::clock::Clock;
use moonstack::base::{Result, Trouble};
use moonstack::practice;
use moonstack::script::Host;
use moonstack::script::loader::{Loader, Source};
use moonstack::site::Cx;
use moonstack::site::config::Loaded;
use moonstack::site::cx::Site;
use moonstack::world::fs::eyes::LiveEyes;
use moonstack::world::scope::cancel::Cancel;
use moonstack::world::seam::live::LiveHands;
use moonstack::world::state::journal::Journal;
use moonstack::world::state::store::Store;
use moonstack::world::{Event, Watcher, World};

/// Remembers what was told.
#[derive(Default)]
pub struct Ears(pub Mutex<Vec<Event>>);

impl Watcher for Ears {
    fn see(&self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

/// A machine and the folder that everything of it is in.
pub struct Bench {
    pub host: Host,
    pub folder: tempfile::TempDir,
    pub ears: Arc<Ears>,
    pub printed: Rc<RefCell<Vec<String>>>,
}

impl Bench {
    /// On a site without Spack; `modules` is where `require` looks.
    pub fn new(modules: &[&Path]) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let ears = Arc::new(Ears::default());
        let cx = context(folder.path(), Arc::clone(&ears));
        Bench::with(cx, folder, ears, modules)
    }

    /// On a practice site of its own, as `--practice` gives one.
    pub fn practice() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let executable = Path::new(env!("CARGO_BIN_EXE_moonstack"));
        let made = practice::create(&folder.path().join("site"), executable).unwrap();
        let ears = Arc::new(Ears::default());
        let mut variables: BTreeMap<String, String> = std::env::vars().collect();
        variables.extend(made.env);
        let state = made.root.join("state");
        let cx = context_of(
            Loaded::default(),
            state,
            Arc::clone(&ears),
            Some(made.spack_root),
            variables,
            Some(made.root.clone()),
        );
        Bench::with(cx, folder, ears, &[])
    }

    /// On any site.
    pub fn with(cx: Cx, folder: tempfile::TempDir, ears: Arc<Ears>, modules: &[&Path]) -> Bench {
        let loader = Loader {
            eyes: Arc::clone(&cx.world.eyes),
            folders: modules.iter().map(|m| (*m).to_owned()).collect(),
            taken: Rc::default(),
        };
        let printed: Rc<RefCell<Vec<String>>> = Rc::default();
        let lines = Rc::clone(&printed);
        let print = Rc::new(move |line: &str| {
            lines.borrow_mut().push(line.to_owned());
            Ok(())
        });
        let host = Host::new(cx, Rc::new(moonstack::api::registry()), loader, print).unwrap();
        Bench { host, folder, ears, printed }
    }

    /// Runs a text to its end, within a limit so that a test cannot hang.
    pub fn run(&self, name: &str, text: &str) -> Result<Vec<mlua::Value>> {
        self.run_in(&Cancel::root(Some(Duration::from_mins(1))), name, text)
    }

    pub fn run_in(&self, scope: &Cancel, name: &str, text: &str) -> Result<Vec<mlua::Value>> {
        let source = Source { name: name.to_owned(), text: text.as_bytes().to_vec() };
        let run = self.host.run(scope, &source, mlua::MultiValue::new());
        block_on(run).map(mlua::MultiValue::into_vec)
    }
}

pub fn context(folder: &Path, ears: Arc<Ears>) -> Cx {
    context_of(Loaded::default(), folder.join("state"), ears, None, BTreeMap::new(), None)
}

pub fn context_of(
    loaded: Loaded,
    state: PathBuf,
    ears: Arc<Ears>,
    spack: Option<PathBuf>,
    variables: BTreeMap<String, String>,
    practice: Option<PathBuf>,
) -> Cx {
    let clock = Clock::default();
    let store = Arc::new(Store::at(state.join("state.db")));
    let journal = Arc::new(Journal::new(Arc::clone(&store), clock.clone()));
    let world = World {
        eyes: Arc::new(LiveEyes),
        hands: Arc::new(LiveHands::new(Some(Arc::clone(&journal)))),
        watcher: ears,
        clock,
    };
    let site = Site::new(loaded, state, store, journal, spack, variables, practice);
    moonstack::api::hand_in(&site);
    Cx { world, site: Arc::new(site) }
}

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work)
}

/// An error as a test shows it.
pub fn shown(trouble: &Trouble) -> String {
    let place = trouble.place().map(|p| format!("{}:{}: ", p.file, p.line)).unwrap_or_default();
    format!("{place}{}: {trouble}\n{}", trouble.kind(), trouble.traceback().unwrap_or_default())
}

/// An executable shell script. Another process writes it: a process that some other test starts at that moment would
/// keep a file of ours open for writing until it has become its program, and what is open for writing cannot be run.
pub fn program(path: &Path, body: &str) {
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$0\" && chmod 755 \"$0\"";
    let done = Command::new("sh").args(["-c", write]).arg(path).arg(body).status().unwrap();
    assert!(done.success(), "{}", path.display());
}

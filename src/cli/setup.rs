//! From the command line to a context: site files, state, journal, Spack's variables, the Lua machine.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::args::{Command, Global};
use super::interrupt::Interrupts;
use crate::api::{self, Registry};
use crate::base::clock::Clock;
use crate::base::{Kind, Result, Trouble, words};
use crate::practice::{self, PracticeSite};
use crate::script::Host;
use crate::script::loader::Loader;
use crate::site::config::Loaded;
use crate::site::cx::Site;
use crate::site::{Cx, paths};
use crate::term::printer::Printer;
use crate::term::progress::Progress;
use crate::world::World;
use crate::world::cancel::Cancel;
use crate::world::eyes::LiveEyes;
use crate::world::journal::{About, Journal};
use crate::world::live::LiveHands;
use crate::world::space;
use crate::world::store::Store;

/// Everything that one command works with.
pub struct Session {
    pub cx: Cx,
    pub registry: Rc<Registry>,
    pub printer: Arc<Printer>,
    pub scope: Cancel,
    pub interrupts: Interrupts,
    pub timeout: Option<Duration>,
    _practice: Option<Practice>,
}

/// A throw-away practice site takes two; what is done on it may take more.
const PRACTICE_BYTES: u64 = 32 << 20;

/// A practice site; a throw-away one goes with it.
struct Practice {
    site: PracticeSite,
    _folder: Option<tempfile::TempDir>,
}

impl Practice {
    /// Without a folder, a throw-away site.
    fn open(dir: Option<&Path>) -> Result<Practice> {
        let executable = std::env::current_exe()
            .map_err(|e| Trouble::new(Kind::Internal, format!("cannot find this executable: {e}")))?;
        if let Some(dir) = dir {
            return Ok(Practice { site: practice::open(dir, &executable)?, _folder: None });
        }
        let folder = practice_folder()?;
        Ok(Practice { site: practice::create(folder.path(), &executable)?, _folder: Some(folder) })
    }
}

/// An empty folder for a practice site, gone when dropped.
pub fn practice_folder() -> Result<tempfile::TempDir> {
    let parent = space::scratch(PRACTICE_BYTES);
    tempfile::Builder::new()
        .prefix("moonstack-practice-")
        .tempdir_in(&parent)
        .map_err(|e| Trouble::io("create a folder in", &parent, e))
}

impl Session {
    pub fn open(global: &Global, command: &Command, printer: &Arc<Printer>) -> Result<Session> {
        let eyes = Arc::new(LiveEyes);
        let loaded = Loaded::read(&*eyes, global.site.as_deref(), paths::user_config().as_deref())?;
        let mut variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        // Without a folder clap gives the empty word: a throw-away site.
        let kept = |dir: &OsString| (!dir.is_empty()).then(|| PathBuf::from(dir));
        let practice =
            global.practice.as_ref().map(|dir| Practice::open(kept(dir).as_deref())).transpose()?;
        let (state, spack) = match &practice {
            Some(practice) => {
                variables.extend(practice.site.env.clone());
                (practice.site.root.join("state"), Some(practice.site.spack_root.clone()))
            }
            None => (paths::state(&loaded.config), global.spack.clone()),
        };
        let practice_root = practice.as_ref().map(|p| p.site.root.clone());
        let store = Arc::new(Store::at(state.join("state.db")));
        let clock = Clock::default();
        let journal = Arc::new(Journal::new(Arc::clone(&store), clock.clone(), about(command)));
        let world = World {
            eyes,
            hands: Arc::new(LiveHands::new(Some(Arc::clone(&journal)))),
            watcher: Arc::new(Progress::new(Arc::clone(printer), clock.clone())),
            clock,
        };
        let site = Site::new(loaded, state, store, journal, spack, variables, practice_root);
        let scope = Cancel::root(global.timeout);
        let interrupts = Interrupts::listen()?;
        interrupts.watch(&scope);
        Ok(Session {
            cx: Cx { world, site: Arc::new(site) },
            registry: Rc::new(api::registry()),
            printer: Arc::clone(printer),
            scope,
            interrupts,
            timeout: global.timeout,
            _practice: practice,
        })
    }

    /// The Lua machine; `folder` is the script's own, searched first for modules.
    pub fn host(&self, folder: Option<PathBuf>) -> Result<Host> {
        let out = Arc::clone(&self.printer);
        let print = Rc::new(move |text: &str| out.result(text));
        Host::new(self.cx.clone(), Rc::clone(&self.registry), self.loader(folder), print)
    }

    pub fn loader(&self, folder: Option<PathBuf>) -> Loader {
        let folders = folder.into_iter().chain(self.cx.site.loaded.config.scripts.iter().cloned()).collect();
        Loader { eyes: Arc::clone(&self.cx.world.eyes), folders }
    }

    /// A cancel whose reason is the time limit says so.
    pub fn ended(&self, trouble: Trouble) -> Trouble {
        match self.timeout {
            Some(limit) if trouble.is(Kind::Cancelled) && self.scope.past_deadline() => {
                Trouble::new(Kind::Timeout, format!("not done within {}", words::span(limit)))
                    .hint("--timeout sets the limit")
            }
            _ => trouble,
        }
    }

    /// Ends the run's journal row.
    pub fn close(&self, result: &Result<u8, Trouble>) {
        let (code, message) = match result {
            Ok(code) => (*code, None),
            Err(t) => (t.kind().exit_code(), Some(t.message())),
        };
        if let Err(trouble) = self.cx.site.journal.end(code, message) {
            tracing::error!("journal: {trouble}");
        }
    }
}

/// What the journal says of the run.
fn about(command: &Command) -> About {
    let (script, options) = match command {
        Command::Run { words } => {
            let mut words = words.iter().map(|a| a.to_string_lossy().into_owned());
            (words.next().unwrap_or_default(), words.collect::<Vec<_>>().into())
        }
        Command::Eval { code } => (String::from("eval"), code.as_str().into()),
        Command::Call { name, arguments } => (format!("call {name}"), arguments.clone().into()),
        _ => (String::from("command"), serde_json::Value::Null),
    };
    About { script, digest: None, options }
}

//! From the command line to a context: site files, state, journal, Spack's variables, the Lua machine.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::interrupt::Interrupts;
use super::options::RunOptions;
use crate::api::{self, Registry};
use crate::base::clock::Clock;
use crate::base::{Kind, Result, Trouble, digest, words};
use crate::cli::given::GivenInputs;
use crate::plan::file::Plan;
use crate::plan::stored::StoredCommand;
use crate::practice::{self, PracticeSite};
use crate::script::Host;
use crate::script::loader::Loader;
use crate::script::pulse::Pulse;
use crate::site::config::{Apart, Loaded};
use crate::site::cx::Site;
use crate::site::shared::SharedConfig;
use crate::site::{Cx, paths};
use crate::term::printer::Printer;
use crate::term::progress::Progress;
use crate::world::fs::eyes::LiveEyes;
use crate::world::fs::{access, own_files, space};
use crate::world::scope::cancel::Cancel;
use crate::world::seam::input::{Input, InputKind};
use crate::world::seam::live::LiveHands;
use crate::world::seam::planned::PlannedActions;
use crate::world::seam::planning::PlanningHands;
use crate::world::state::journal::Journal;
use crate::world::state::recollect::Resumption;
use crate::world::state::run_log::RunLog;
use crate::world::state::shared_state::SharedState;
use crate::world::state::store::Store;
use crate::world::{Event, Eyes, Hands, Watcher, World};

/// Everything that one command works with.
pub struct Session {
    pub cx: Cx,
    pub registry: Rc<Registry>,
    pub printer: Arc<Printer>,
    pub scope: Cancel,
    pub interrupts: Interrupts,
    pub timeout: Option<Duration>,
    /// The hands of a plan, where this makes one.
    pub planning: Option<Arc<PlanningHands>>,
    /// What is left of the plan that is applied.
    pub expected: Option<Arc<PlannedActions>>,
    /// What of the command line has to be known to make the same run again.
    pub stored: StoredCommand,
    /// The same with the words of the run.
    pub ran: RefCell<StoredCommand>,
    pub options: RefCell<RunOptions>,
    pub given: GivenInputs,
    /// The plan that is applied.
    pub plan: Option<Plan>,
    pub log: Arc<RunLog>,
    /// Whether the script has begun: what goes wrong before that is wrong with the call.
    pub has_begun: Cell<bool>,
    /// What failed in a plan, by the names of the steps.
    pub failed: RefCell<Vec<(String, Trouble)>>,
    taken: Rc<RefCell<BTreeMap<String, String>>>,
    /// Whether somebody watches over the scripts.
    watched: Cell<bool>,
    _practice: Option<Practice>,
}

/// What becomes of the changes of a script.
pub enum Mode {
    Live,
    /// They are recorded and pretended.
    Plan,
    /// They are made as long as they are those of a plan.
    Apply(Box<Plan>),
    /// They go on where an interrupted run ended.
    Resume(Box<Resumption>),
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

/// Which site a command works on.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub site: Option<PathBuf>,
    pub spack: Option<PathBuf>,
    /// A practice site; the empty word is a throw-away one.
    pub practice: Option<OsString>,
    /// It is for tests: of no site file more than what it says of any site.
    pub tests: bool,
    pub timeout: Option<Duration>,
}

impl Place {
    fn loaded(&self) -> Result<Loaded> {
        let apart = match (self.tests, &self.practice) {
            (true, _) => Apart::Whole,
            (false, Some(_)) => Apart::ButForAsked,
            (false, None) => Apart::No,
        };
        Loaded::read_for(&LiveEyes, self.site.as_deref(), paths::user_config().as_deref(), apart)
    }
}

impl Session {
    pub fn open(
        place: &Place,
        options: RunOptions,
        mut mode: Mode,
        runs: bool,
        printer: &Arc<Printer>,
    ) -> Result<Session> {
        let loaded = place.loaded()?;
        let wish = loaded.config.shared.as_ref().map(SharedConfig::wish);
        if let Some(wish) = &wish {
            access::enter(wish);
        }
        let mut variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        variables.extend(loaded.config.variables.clone());
        // Without a folder clap gives the empty word: a throw-away site.
        let kept = |dir: &OsString| (!dir.is_empty()).then(|| PathBuf::from(dir));
        let practice = place.practice.as_ref().map(|dir| Practice::open(kept(dir).as_deref())).transpose()?;
        let (state, spack) = match &practice {
            Some(practice) => {
                variables.extend(practice.site.env.clone());
                (practice.site.root.join("state"), Some(practice.site.spack_root.clone()))
            }
            None => (paths::state(&loaded.config)?, place.spack.clone()),
        };
        let stack = loaded.config.stack.as_ref().unwrap_or(&state);
        own_files::enter(&[&state, stack], wish.as_ref().and_then(|wish| wish.group.as_deref()));
        let practice_root = practice.as_ref().map(|p| p.site.root.clone());
        let database = state.join("state.db");
        let store = match mode {
            Mode::Plan => Store::for_plan(database)?,
            _ => Store::at(database),
        };
        let store = Arc::new(store.shared_with(SharedState::new(wish, state.clone())));
        let clock = Clock::default();
        let journal = Arc::new(match mode {
            Mode::Plan => Journal::silent(Arc::clone(&store), clock.clone()),
            _ => Journal::new(Arc::clone(&store), clock.clone()),
        });
        mode = match mode {
            Mode::Resume(from) => {
                journal.resume(*from)?;
                Mode::Live
            }
            other => other,
        };
        let expected = match &mode {
            Mode::Apply(plan) => {
                Some(Arc::new(PlannedActions::new(plan.actions.iter().map(|a| a.identity.clone()).collect())))
            }
            _ => None,
        };
        let progress: Arc<dyn Watcher> = Arc::new(Progress::new(Arc::clone(printer), clock.clone()));
        let planning = matches!(mode, Mode::Plan).then(|| PlanningHands::new(Arc::clone(&progress)));
        let progress = if planning.is_some() { Arc::new(Hushed(progress)) } else { progress };
        let log = Arc::new(RunLog::before(progress, clock.clone()));
        let eyes: Arc<dyn Eyes> = match &planning {
            Some((_, eyes)) => Arc::clone(eyes) as _,
            None => Arc::new(LiveEyes),
        };
        let planning = planning.map(|(hands, _)| hands);
        let hands: Arc<dyn Hands> = match (&planning, &expected) {
            (Some(hands), _) => Arc::clone(hands) as _,
            (None, Some(plan)) => Arc::new(LiveHands::following(Arc::clone(&journal), Arc::clone(plan))),
            (None, None) => Arc::new(LiveHands::new(Some(Arc::clone(&journal)))),
        };
        let world = World { eyes, hands, watcher: Arc::clone(&log) as _, clock };
        let site = Site::new(loaded, state, store, journal, spack, variables, practice_root);
        api::hand_in(&site);
        let timeout = place.timeout.or_else(|| match mode {
            // A session at the prompt may stay open; a run may not.
            Mode::Live if !runs => None,
            _ => site.run_limit(),
        });
        let scope = Cancel::root(timeout);
        let interrupts = Interrupts::listen(printer)?;
        interrupts.watch(&scope);
        Ok(Session {
            cx: Cx { world, site: Arc::new(site) },
            registry: Rc::new(api::registry()),
            printer: Arc::clone(printer),
            scope,
            interrupts,
            timeout,
            planning,
            expected,
            stored: stored(place),
            ran: RefCell::default(),
            options: RefCell::new(options),
            given: GivenInputs::default(),
            plan: match mode {
                Mode::Apply(plan) => Some(*plan),
                _ => None,
            },
            log,
            has_begun: Cell::default(),
            failed: RefCell::default(),
            taken: Rc::default(),
            watched: Cell::new(false),
            _practice: practice,
        })
    }

    /// The Lua machine; `folder` is the script's own, searched first for modules.
    pub fn host(&self, folder: Option<PathBuf>) -> Result<Host> {
        let out = Arc::clone(&self.printer);
        let planning = self.planning.is_some();
        // What a script says while it is planned is not the plan.
        let print = Rc::new(move |text: &str| {
            if planning {
                out.detail(text);
                return Ok(());
            }
            out.result(text)
        });
        self.watch()?;
        Host::new(self.cx.clone(), Rc::clone(&self.registry), self.loader(folder), print)
    }

    /// Sees to it that no script outlives its end for long.
    fn watch(&self) -> Result<()> {
        if self.watched.replace(true) {
            return Ok(());
        }
        let pulse = self.cx.keep(|_| Ok(Pulse::default()))?;
        let journal = Arc::clone(&self.cx.site.journal);
        Interrupts::guard(&self.printer, pulse, move |trouble| {
            if let Err(trouble) = journal.end(trouble.kind().exit_code(), Some(trouble.message())) {
                tracing::error!("journal: {trouble}");
            }
        })
    }

    pub fn loader(&self, folder: Option<PathBuf>) -> Loader {
        let folders = folder.into_iter().chain(self.cx.site.loaded.config.scripts.iter().cloned()).collect();
        Loader { eyes: Arc::clone(&self.cx.world.eyes), folders, taken: Rc::clone(&self.taken) }
    }

    /// What stood between `plan` and the name.
    pub fn ask_of_plan(&self, check: bool, output: Option<&PathBuf>) {
        let mut options = self.options.borrow_mut();
        options.check |= check;
        options.output = output.cloned().or(options.output.take());
    }

    /// Script, options, modules and site files as they are now.
    pub fn given_now(&self) -> Result<Vec<Input>> {
        let mut all = self.given.all();
        // Modules that are required later are those that the plan knows of.
        let planned = self.plan.iter().flat_map(|plan| &plan.inputs);
        let planned = planned.filter(|i| i.kind == InputKind::Module).map(|i| i.name.clone());
        let names: BTreeSet<String> = planned.chain(self.modules().into_keys()).collect();
        let loader = self.loader(None);
        for name in names {
            let digest =
                loader.text_of(&name).map_or_else(|| String::from("absent"), |t| digest::bytes(t.as_bytes()));
            all.push(Input::new(InputKind::Module, name, digest));
        }
        for file in &self.cx.site.loaded.files {
            all.push(Input::file(InputKind::SiteFile, file)?);
        }
        Ok(all)
    }

    /// Digests of the modules that were required so far, by the names of their files.
    pub fn modules(&self) -> BTreeMap<String, String> {
        self.taken.borrow().clone()
    }

    /// A cancel whose reason is the time limit says so.
    pub fn ended(&self, trouble: Trouble) -> Trouble {
        match self.timeout {
            Some(limit) if trouble.is(Kind::Cancelled) && self.scope.past_deadline() => {
                Trouble::new(Kind::Timeout, format!("not done within {}", words::span(limit)))
                    .hint("--timeout sets the limit, or limits.run of the site file")
            }
            _ => trouble,
        }
    }

    /// Ends the run's journal row. What is not on record of it needs attention, however well it went.
    pub fn close(&self, result: Result<u8>) -> Result<u8> {
        let journal = &self.cx.site.journal;
        let (code, message) = match &result {
            Ok(code) => (*code, None),
            Err(t) => (t.kind().exit_code(), Some(t.message().to_owned())),
        };
        let code = if journal.lost().is_some() { code.max(1) } else { code };
        let lost = || journal.lost().map(|t| format!("the journal could not be written: {}", t.message()));
        if let Err(trouble) = journal.end(code, message.or_else(lost).as_deref()) {
            self.cx.world.unrecorded(journal, &trouble);
        }
        match result {
            Ok(0) if journal.lost().is_some() => Ok(1),
            result => result,
        }
    }
}

/// The state database of a site, before a session is opened on it.
pub fn store(place: &Place) -> Result<Store> {
    let loaded = place.loaded()?;
    let wish = loaded.config.shared.as_ref().map(SharedConfig::wish);
    if let Some(wish) = &wish {
        access::enter(wish);
    }
    let practice = place.practice.as_ref().filter(|dir| !dir.is_empty());
    let state = match practice {
        Some(dir) => Path::new(dir).join("state"),
        None => paths::state(&loaded.config)?,
    };
    Ok(Store::at(state.join("state.db")).shared_with(SharedState::new(wish, state)))
}

/// What of the options leads to the same site again.
fn stored(place: &Place) -> StoredCommand {
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    StoredCommand {
        words: Vec::new(),
        cwd: std::env::current_dir().unwrap_or_default(),
        site: place.site.as_ref().map(&absolute),
        spack: place.spack.as_ref().map(&absolute),
        practice: place.practice.as_ref().filter(|dir| !dir.is_empty()).map(|d| absolute(&PathBuf::from(d))),
    }
}

/// A plan tells what it found only once it is made; warnings come at once.
struct Hushed(Arc<dyn Watcher>);

impl Watcher for Hushed {
    fn see(&self, event: &Event) {
        if matches!(event, Event::Message { .. }) {
            self.0.see(event);
        }
    }
}

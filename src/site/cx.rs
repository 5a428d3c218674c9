//! The context of an operation: the world, the site, and what was found out once and is kept for the run.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};

use super::config::Loaded;
use crate::base::{Kind, Result, Trouble, words};
use crate::policy::{Question, Ruling, slot};
use crate::world::World;
use crate::world::state::journal::Journal;
use crate::world::state::store::Store;

/// Cheap to clone; every primitive gets one.
#[derive(Clone)]
pub struct Cx {
    pub world: World,
    pub site: Arc<Site>,
}

/// One site, as this process sees it.
pub struct Site {
    pub loaded: Loaded,
    pub state: PathBuf,
    pub store: Arc<Store>,
    pub journal: Arc<Journal>,
    /// `--spack DIR`.
    pub spack: Option<PathBuf>,
    /// The environment variables that Spack and its configuration are read with; the process's own, or a
    /// practice site's.
    pub variables: BTreeMap<String, String>,
    /// The practice site's folder, if this is one.
    pub practice: Option<PathBuf>,
    kept: Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    /// Seconds that this run waits for others at least.
    patience: AtomicU64,
}

impl Site {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        loaded: Loaded,
        state: PathBuf,
        store: Arc<Store>,
        journal: Arc<Journal>,
        spack: Option<PathBuf>,
        variables: BTreeMap<String, String>,
        practice: Option<PathBuf>,
    ) -> Self {
        Site {
            loaded,
            state,
            store,
            journal,
            spack,
            variables,
            practice,
            kept: Mutex::default(),
            patience: AtomicU64::new(0),
        }
    }

    /// Keeps a value for everything that works on this site; [`Cx::keep`] gives it.
    pub fn put<T: Send + Sync + 'static>(&self, value: T) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// Folder of the log files, one a run.
    pub fn logs(&self) -> PathBuf {
        self.state.join("logs")
    }

    /// Where generations are, and the links that users follow.
    pub fn stack(&self) -> PathBuf {
        self.loaded.config.stack.clone().unwrap_or_else(|| self.state.clone())
    }

    /// A changing Spack command may take this long.
    pub fn spack_limit(&self) -> Duration {
        limit(self.loaded.config.limits.spack.as_ref(), Duration::from_hours(24))
    }

    /// … and be silent for this long.
    pub fn silence_limit(&self) -> Duration {
        limit(self.loaded.config.limits.silence.as_ref(), Duration::from_hours(3))
    }

    /// Any other program may take this long.
    pub fn program_limit(&self) -> Duration {
        limit(self.loaded.config.limits.program.as_ref(), Duration::from_hours(24))
    }

    /// A run as a whole may take this long; no limit unless the site file sets one.
    pub fn run_limit(&self) -> Option<Duration> {
        self.loaded.config.limits.run.as_ref().and_then(|v| words::parse_span(v).ok())
    }

    /// A script may take so much memory.
    pub fn memory_limit(&self) -> u64 {
        self.loaded.config.limits.memory.as_ref().and_then(|v| words::parse_size(v).ok()).unwrap_or(1 << 30)
    }

    /// So long a generation stays after users were moved away from it.
    pub fn grace(&self) -> Duration {
        limit(self.loaded.config.generations.grace.as_ref(), Duration::from_hours(7 * 24))
    }

    /// How long to wait for a lock.
    pub fn lock_limit(&self) -> Duration {
        let least = Duration::from_secs(self.patience.load(Ordering::Relaxed));
        limit(self.loaded.config.limits.lock.as_ref(), Duration::from_mins(1)).max(least)
    }

    /// Who waits for another instance waits as long for what it works on.
    pub fn wait_at_least(&self, patience: Duration) {
        self.patience.fetch_max(patience.as_secs(), Ordering::Relaxed);
    }
}

fn limit(value: Option<&String>, default: Duration) -> Duration {
    value.and_then(|v| words::parse_span(v).ok()).unwrap_or(default)
}

impl Cx {
    /// What `find` gives, found once a run and kept.
    pub fn keep<T: Send + Sync + 'static>(&self, find: impl FnOnce(&Cx) -> Result<T>) -> Result<Arc<T>> {
        let poisoned = || Trouble::new(Kind::Internal, "context lock");
        let key = TypeId::of::<T>();
        if let Some(found) = self.site.kept.lock().map_err(|_| poisoned())?.get(&key)
            && let Ok(found) = Arc::clone(found).downcast::<T>()
        {
            return Ok(found);
        }
        let found = Arc::new(find(self)?);
        self.site.kept.lock().map_err(|_| poisoned())?.insert(key, Arc::clone(&found) as _);
        Ok(found)
    }

    /// What the site's policy says of these facts. One that fails is reported once a run, and the default decides.
    pub fn ask<Q: Question>(&self, facts: &Q) -> Result<Q::Answer> {
        self.site.loaded.policies.ask(facts).map(|ruling| self.ruled(ruling))
    }

    /// The same for a slot by its name, with all its facts.
    pub fn ask_named(&self, name: &str, facts: Map<String, Value>) -> Result<Value> {
        self.site.loaded.policies.ask_named(slot(name)?, facts).map(|ruling| self.ruled(ruling))
    }

    fn ruled<A>(&self, ruling: Ruling<A>) -> A {
        if let Some(trouble) = ruling.failed {
            let place = trouble.place().map(|p| format!("{}: ", p.file)).unwrap_or_default();
            self.world.warn(format!("{place}{}; the default decides", trouble.message()));
        }
        ruling.answer
    }

    /// Runs file and database work off the thread that scripts run on.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(Cx) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let cx = self.clone();
        tokio::task::spawn_blocking(move || work(cx))
            .await
            .map_err(|e| Trouble::new(Kind::Internal, format!("background work ended early: {e}")))?
    }
}

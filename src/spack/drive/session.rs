//! One Spack as a run uses it: the installation, the effective configuration with or without an environment,
//! and the store that follows from it. What was read is kept until something is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::config::locate::{Installation, Search, locate};
use crate::spack::config::settings::{InstallTree, Upstream};
use crate::spack::config::{Config, ConfigInputs};
use crate::spack::drive::site_words::ConfiguredWords;
use crate::spack::drive::spec_files;
use crate::spack::environment::{self, EnvironmentInfo};
use crate::spack::spec::reading::Reading;
use crate::spack::spec::{Dialect, Spec};
use crate::spack::store::database::DatabaseText;
use crate::spack::store::database::read::UpstreamText;
use crate::spack::store::kept::{KeptStores, ReadStores};
use crate::spack::store::recipes::{Recipes, RepositoryRecipes};
use crate::spack::store::stores::Stores;

/// The installation of a run and what was read of its configuration.
pub struct Spack {
    pub installation: Installation,
    cwd: PathBuf,
    /// By the folder of the environment; none for the configuration outside of environments.
    configs: Mutex<BTreeMap<Option<PathBuf>, Arc<Config>>>,
    /// Upstream databases that were told to be missing.
    missed: Mutex<BTreeSet<PathBuf>>,
    stores: KeptStores,
}

impl Spack {
    /// The run's Spack, found at the first call.
    pub fn of(cx: &Cx) -> Result<Arc<Spack>> {
        cx.keep(Spack::open)
    }

    fn open(cx: &Cx) -> Result<Spack> {
        let search = Search {
            explicit: cx.site.spack.clone(),
            site: cx.site.loaded.config.spack.clone(),
            ..Search::from_variables(|name| cx.site.variables.get(name).cloned())
        };
        Ok(Spack {
            installation: locate(&*cx.world.eyes, &search)?,
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            configs: Mutex::default(),
            missed: Mutex::default(),
            stores: KeptStores::default(),
        })
    }

    pub fn dialect(&self) -> Dialect {
        if self.installation.release.abilities().compilers_are_nodes {
            Dialect::Direct
        } else {
            Dialect::Compiler
        }
    }

    /// The effective configuration, inside an environment if one is given.
    pub fn config(&self, cx: &Cx, environment: Option<&Path>) -> Result<Arc<Config>> {
        let key = environment.map(Path::to_owned);
        let mut configs = self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = configs.get(&key) {
            return Ok(Arc::clone(known));
        }
        let mut vars = cx.site.variables.clone();
        vars.remove("SPACK_ENV");
        let inputs =
            ConfigInputs { vars, environment: key.clone(), cwd: self.cwd.clone(), ..ConfigInputs::default() };
        let config = Arc::new(Config::load(&*cx.world.eyes, &self.installation, &inputs)?);
        configs.insert(key, Arc::clone(&config));
        Ok(config)
    }

    /// An upstream that cannot be had: as with Spack, what is there is still worth an answer, but somebody has to
    /// know, once.
    fn miss(&self, cx: &Cx, upstream: &Upstream, why: &Trouble) {
        if self.missed.lock().unwrap_or_else(PoisonError::into_inner).insert(upstream.install_tree.clone()) {
            let hint = why.hints().first().map(|hint| format!(" ({hint})")).unwrap_or_default();
            cx.world.warn(format!(
                "upstream {} is left out, and what is installed there counts as not installed: {}{hint}",
                upstream.name,
                why.message()
            ));
        }
    }

    /// Something was changed: what was read before is not true any more.
    pub fn forget(&self) {
        self.configs.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.stores.forget();
    }
}

/// Where an operation works: the whole site, or inside one environment.
#[derive(Clone)]
pub struct Scope {
    pub spack: Arc<Spack>,
    pub config: Arc<Config>,
    pub environment: Option<EnvironmentInfo>,
}

impl Scope {
    /// Reads configuration files: not for the script thread.
    pub fn open(cx: &Cx, environment: Option<&str>) -> Result<Scope> {
        let spack = Spack::of(cx)?;
        let outside = spack.config(cx, None)?;
        let Some(name) = environment else {
            return Ok(Scope { spack, config: outside, environment: None });
        };
        let info = environment::find(&*cx.world.eyes, &outside, name)?;
        let config = spack.config(cx, Some(&info.path))?;
        check_unify(&config)?;
        Ok(Scope { spack, config, environment: Some(info) })
    }

    /// The environment, where there must be one.
    pub fn inside(&self) -> Result<&EnvironmentInfo> {
        self.environment.as_ref().ok_or_else(|| Trouble::new(Kind::Internal, "no environment was opened"))
    }

    /// The same place with its configuration read again, after something was changed.
    pub async fn as_now(&self, cx: &Cx) -> Result<Scope> {
        scope(cx, self.environment.as_ref().map(|e| e.path.display().to_string())).await
    }

    /// One spec, in the words of this site.
    pub fn spec(&self, text: &str) -> Result<Spec> {
        self.reading(|reading| Spec::parse(text, reading))
    }

    /// One spec after the other, in the words of this site.
    pub fn specs(&self, cx: &Cx, text: &str) -> Result<Vec<Spec>> {
        let text =
            spec_files::with_hashes(&*cx.world.eyes, &self.config.sub.cwd, text, self.spack.dialect())?;
        self.reading(|reading| Spec::parse_all(&text, reading))
    }

    fn reading<T>(&self, read: impl FnOnce(Reading<'_>) -> T) -> T {
        let words = ConfiguredWords { config: &self.config };
        read(Reading { dialect: self.spack.dialect(), site: Some(&words) })
    }

    pub fn install_tree(&self) -> Result<InstallTree> {
        self.config.install_tree()
    }

    /// Lets `work` look at the store and its upstreams, read as they are now.
    pub fn with_stores<T>(
        &self,
        cx: &Cx,
        work: impl FnOnce(&Stores<'_>, &dyn Recipes) -> Result<T>,
    ) -> Result<T> {
        let eyes = &*cx.world.eyes;
        let folders = self.config.recipe_folders(eyes)?;
        let recipes = RepositoryRecipes::new(eyes, folders, self.spack.dialect());
        self.stores(cx)?.with_dependent(|_, stores| work(stores, &recipes))
    }

    /// The store and its upstreams, from what is kept of them if nobody wrote them since.
    fn stores(&self, cx: &Cx) -> Result<Arc<ReadStores>> {
        let eyes = &*cx.world.eyes;
        let root = self.install_tree()?.root;
        let upstreams = self.config.upstreams()?;
        let mut roots = vec![root.clone()];
        roots.extend(upstreams.iter().map(|upstream| upstream.install_tree.clone()));
        self.spack.stores.get(eyes, &roots, || {
            let mut texts = vec![DatabaseText::read(eyes, &root, cx.site.lock_limit())?];
            for upstream in &upstreams {
                match UpstreamText::read(eyes, &upstream.install_tree)? {
                    UpstreamText::Read(text) => texts.push(text),
                    UpstreamText::Unreachable(why) => self.spack.miss(cx, upstream, &why),
                }
            }
            ReadStores::parse(texts, self.config.release)
        })
    }
}

/// Spack does nothing in an environment whose roots it cannot tell how to solve.
fn check_unify(config: &Config) -> Result<()> {
    let Some(unify) = config.section("concretizer")?.get("unify") else { return Ok(()) };
    let value = unify.to_json();
    if value.is_boolean() || value == "when_possible" {
        return Ok(());
    }
    let what = format!("{}: 'concretizer:unify' is {value}, which Spack refuses", unify.mark);
    Err(Trouble::new(Kind::Configuration, what).hint("it is true, false or when_possible"))
}

/// Opens a scope and works in it, off the script thread.
pub async fn within<T: Send + 'static>(
    cx: &Cx,
    environment: Option<String>,
    work: impl FnOnce(&Cx, &Scope) -> Result<T> + Send + 'static,
) -> Result<T> {
    cx.blocking(move |cx| {
        let scope = Scope::open(&cx, environment.as_deref())?;
        work(&cx, &scope)
    })
    .await
}

/// Only opens the scope.
pub async fn scope(cx: &Cx, environment: Option<String>) -> Result<Scope> {
    within(cx, environment, |_, scope| Ok(scope.clone())).await
}

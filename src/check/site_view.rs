//! The site as checks see it: what Spack is installed and how it is configured, found once a sweep. A part that
//! could not be found keeps its trouble, so that each check can say what it lacks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::{Result, Trouble};
use crate::site::Cx;
use crate::spack::config::locate::{self, Installation, Search};
use crate::spack::config::settings::InstallTree;
use crate::spack::config::{Config, ConfigInputs};

/// Installation and configuration, or why there is none.
#[derive(Clone)]
pub struct SiteView {
    installation: Result<Arc<Installation>>,
    config: Result<Arc<Config>>,
}

impl SiteView {
    /// Reads it afresh: a sweep judges what is there now.
    pub fn read(cx: &Cx) -> SiteView {
        let variables = &cx.site.variables;
        let search = Search {
            explicit: cx.site.spack.clone(),
            site: cx.site.loaded.config.spack.clone(),
            ..Search::from_variables(|name| variables.get(name).cloned())
        };
        let installation = locate::locate(&*cx.world.eyes, &search);
        let config = installation.clone().and_then(|found| {
            let inputs = ConfigInputs {
                vars: variables.clone(),
                environment: variables.get("SPACK_ENV").filter(|v| !v.is_empty()).map(PathBuf::from),
                ..ConfigInputs::from_process()
            };
            Config::load(&*cx.world.eyes, &found, &inputs)
        });
        SiteView { installation: installation.map(Arc::new), config: config.map(Arc::new) }
    }

    pub fn installation(&self) -> Result<&Installation> {
        self.installation.as_deref().map_err(Trouble::clone)
    }

    pub fn config(&self) -> Result<&Config> {
        self.config.as_deref().map_err(Trouble::clone)
    }

    pub fn install_tree(&self) -> Result<InstallTree> {
        self.config()?.install_tree()
    }

    /// The folder of the database and the prefixes.
    pub fn store(&self) -> Result<PathBuf> {
        Ok(self.install_tree()?.root)
    }

    /// The first executable of that name on the site's `PATH`.
    pub fn program(cx: &Cx, name: &str) -> Option<PathBuf> {
        let path = cx.site.variables.get("PATH").map_or("", String::as_str);
        path.split(':')
            .filter(|folder| folder.starts_with('/'))
            .map(|folder| Path::new(folder).join(name))
            .find(|candidate| is_executable(cx, candidate))
    }
}

/// A file that somebody may execute.
pub fn is_executable(cx: &Cx, path: &Path) -> bool {
    cx.world.eyes.finds_file(path) && cx.world.eyes.stat(path).is_ok_and(|s| s.mode & 0o111 != 0)
}

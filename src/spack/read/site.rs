//! Questions about the installation and its configuration, answered from its files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::Result;
use crate::site::Cx;
use crate::spack::config::compilers::Compiler;
use crate::spack::config::mirrors::Mirror;
use crate::spack::config::repos::Repo;
use crate::spack::drive::session::within;

/// Tells which Spack this is, where its store and environments are, and how much is installed.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct InfoArgs {}

/// A Spack installation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Info {
    /// The root of the installation.
    pub root: String,
    /// The release, as Spack words it.
    pub version: String,
    /// The commit, where it is a git checkout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The Python that runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python: Option<String>,
    /// How it was found: an option, a variable, the site file or `PATH`.
    pub found_by: Value,
    /// The store's root.
    pub store: String,
    /// The environments' root.
    pub environments: String,
    /// Version of the database.
    pub database: String,
    /// Number of installed specs.
    pub installed: usize,
    /// Number of explicitly installed specs.
    pub explicit: usize,
    /// Stores of other installations that are used.
    pub upstreams: Vec<String>,
    /// What of the configuration only Spack itself can evaluate.
    pub not_understood: Vec<String>,
}

pub async fn info(cx: Cx, _: InfoArgs) -> Result<Info> {
    within(&cx, None, |cx, scope| {
        let config = &scope.config;
        let found = &scope.spack.installation;
        scope.with_stores(cx, |stores, _| {
            let local = stores.databases().first();
            let records = || {
                local
                    .into_iter()
                    .flat_map(crate::spack::store::database::Database::records)
                    .filter(|r| r.installed)
            };
            Ok(Info {
                root: found.root.display().to_string(),
                version: found.version_text.clone(),
                commit: found.commit.clone(),
                python: found.python.as_ref().map(|p| p.display().to_string()),
                found_by: serde_json::to_value(found.found_by).unwrap_or_default(),
                store: config.install_tree()?.root.display().to_string(),
                environments: config.environments_root()?.path.display().to_string(),
                database: local.map(|d| d.version().to_owned()).unwrap_or_default(),
                installed: records().count(),
                explicit: records().filter(|r| r.explicit).count(),
                upstreams: config.upstreams()?.iter().map(|u| u.install_tree.display().to_string()).collect(),
                not_understood: config.not_understood.clone(),
            })
        })
    })
    .await
}

/// Lists the configured compilers with their executables.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CompilersArgs {
    /// As this environment sees them.
    pub env: Option<String>,
}

pub async fn compilers(cx: Cx, args: CompilersArgs) -> Result<Vec<Compiler>> {
    within(&cx, args.env, |_, scope| scope.config.compilers()).await
}

/// Lists the package repositories, highest precedence first.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ReposArgs {
    /// As this environment sees them.
    pub env: Option<String>,
}

pub async fn repos(cx: Cx, args: ReposArgs) -> Result<Vec<Repo>> {
    within(&cx, args.env, |_, scope| scope.config.repos()).await
}

/// Lists the mirrors, in the order that Spack asks them. Secrets are left out.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct MirrorsArgs {
    /// As this environment sees them.
    pub env: Option<String>,
}

pub async fn mirrors(cx: Cx, args: MirrorsArgs) -> Result<Vec<Mirror>> {
    within(&cx, args.env, |_, scope| scope.config.mirrors()).await
}

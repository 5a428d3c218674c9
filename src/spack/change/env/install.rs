//! Installs an environment as a whole.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::Result;
use crate::site::Cx;
use crate::spack::change::around::view::share_views;
use crate::spack::change::install::args::{InstallArgs, InstallOptions, InstallResult};
use crate::spack::change::install::install;
use crate::spack::read::concretize::Specs;

/// Installs an environment, or some of its specs, and proves it by the database.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct EnvInstallArgs {
    /// Name of the environment, or its folder.
    pub name: String,
    /// Only these: a spec or a list.
    pub specs: Option<Specs>,
    #[serde(flatten)]
    pub options: InstallOptions,
}

pub async fn install_env(cx: Cx, args: EnvInstallArgs) -> Result<InstallResult> {
    let (inside, name) = (cx.clone(), args.name.clone());
    let options = InstallArgs { spec: args.specs, env: Some(args.name), options: args.options };
    let done = install(cx, options).await?;
    share_views(&inside, &name).await?;
    Ok(done)
}

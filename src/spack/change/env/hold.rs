//! An environment that a script keeps to itself while several of its calls belong together.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::Result;
use crate::site::Cx;
use crate::spack::drive::locks;
use crate::spack::drive::session::scope;

/// Keeps an environment to this run until it ends: other moonstacks neither change it nor take a snapshot of it in
/// between.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct HoldArgs {
    /// Name of the environment, or its folder.
    pub name: String,
}

/// The environment that is held.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HeldEnvironment {
    pub name: String,
    pub path: PathBuf,
}

pub async fn hold(cx: Cx, args: HoldArgs) -> Result<HeldEnvironment> {
    let scope = scope(&cx, Some(args.name)).await?;
    locks::hold_to_the_end(&cx, &scope).await?;
    let environment = scope.inside()?;
    Ok(HeldEnvironment { name: environment.name.clone(), path: environment.path.clone() })
}

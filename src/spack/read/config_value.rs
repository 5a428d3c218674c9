//! One value of Spack's configuration: read here, or asked of Spack where only Spack can tell.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::{Result, redact};
use crate::site::Cx;
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::{Scope, within};
use crate::spack::drive::{failure, invoke};
use crate::spack::text::yaml::{self, Mark, Yaml};

/// Tells a value of Spack's configuration, merged as Spack merges it, and where it was written. Where a
/// condition in the files is beyond this reader, Spack is asked.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ConfigArgs {
    /// A section, or a path into one: `mirrors`, `config:install_tree:root`.
    pub path: String,
    /// As this environment sees it.
    pub env: Option<String>,
}

/// Who told the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Teller {
    /// It was read from the files.
    Files,
    /// Spack was asked.
    Spack,
}

/// A value of Spack's configuration.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConfigValue {
    /// The value as written, before substitution; nothing if it is not set. A null in it is a null, and no `nil`.
    /// Secrets are `***`.
    pub value: Option<Value>,
    /// `file:line` of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Who told it.
    pub source: Teller,
    /// What of the configuration only Spack itself can evaluate: why it was asked.
    pub not_understood: Vec<String>,
}

pub async fn config(cx: Cx, args: ConfigArgs) -> Result<ConfigValue> {
    let path = args.path.clone();
    let (scope, native) = within(&cx, args.env, move |_, scope| {
        let config = &scope.config;
        let value = config.get(&path)?.map(|value| shown(&path, value));
        let origin = config.origin(&path)?.as_ref().map(Mark::to_string);
        let not_understood = config.not_understood.clone();
        Ok((scope.clone(), ConfigValue { value, origin, source: Teller::Files, not_understood }))
    })
    .await?;
    if native.not_understood.is_empty() {
        return Ok(native);
    }
    let value = asked(&cx, &scope, &args.path).await?;
    Ok(ConfigValue { value, source: Teller::Spack, ..native })
}

/// What `spack config get` says.
async fn asked(cx: &Cx, scope: &Scope, path: &str) -> Result<Option<Value>> {
    let section = path.split(':').next().unwrap_or_default();
    let answer = invoke::run(cx, scope, Invocation::reads(["config", "get", section])).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    let tree = yaml::parse_named(&answer.ran.stdout, "the output of 'spack config get'")
        .map_err(|t| answer.about(t))?;
    let mut value = Some(&tree);
    for part in path.split(':') {
        value = value.and_then(|v| v.get(part.trim_matches(['"', '\''])));
    }
    Ok(value.map(|value| shown(path, value)))
}

/// What somebody may see of it.
fn shown(path: &str, value: &Yaml) -> Value {
    redact::value(path.rsplit(':').next(), &value.to_json())
}

//! Any command of Spack, for what has no primitive of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::argument::Span;
use crate::base::{Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::scope;
use crate::spack::drive::verbs::{effect, verb_at};
use crate::spack::drive::{failure, invoke, locks};
use crate::world::Effect;

/// Verbs that build, and so need an open standard input under the new installer.
const INSTALLERS: &[&str] = &["install", "dev-build", "ci", "bootstrap"];

/// Runs a command of Spack, each word as it is, without a shell. Commands that are known to look are not
/// recorded; all others count as changes. Nothing is read back: use the primitive where there is one.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ExecArgs {
    /// The verb and its arguments: `{ "buildcache", "list", "-a" }`.
    pub words: Vec<String>,
    /// Inside this environment: a name or folder.
    pub env: Option<String>,
    /// Names of further environment variables that Spack may see.
    #[serde(default)]
    pub variables: Vec<String>,
    /// End it after this long: seconds or words such as `"10m"`.
    pub timeout: Option<Span>,
    /// End it when it prints nothing for this long.
    pub silence: Option<Span>,
    /// Raise an error unless it ends with exit code 0 in time (the default).
    #[serde(default = "yes")]
    pub check: bool,
}

fn yes() -> bool {
    true
}

/// How a command ended.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ExecResult {
    /// Ended by itself with exit code 0. Spack's exit codes do not always tell.
    pub ok: bool,
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed as results.
    pub stdout: String,
    /// What else it printed.
    pub stderr: String,
    /// The log of a change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

pub async fn exec(cx: Cx, args: ExecArgs) -> Result<ExecResult> {
    if args.words.iter().all(|w| w.trim().is_empty()) {
        return Err(Trouble::usage("the command is empty").hint("spack.exec({ \"list\", \"hdf5\" })"));
    }
    let at = verb_at(&args.words);
    if at != Some(0) && at.is_some() {
        return Err(Trouble::usage("the first word is no verb").hint("give the environment as { env = … }"));
    }
    let scope = scope(&cx, args.env.clone()).await?;
    let effect = effect(&args.words);
    let verb = args.words.first().map(String::as_str).unwrap_or_default();
    let _lock = match effect {
        Effect::Changes if scope.environment.is_some() => Some(locks::changing(&cx, &scope).await?),
        _ => None,
    };
    let _store = match effect {
        Effect::Changes => locks::store(&cx, &scope).await?,
        Effect::Reads => None,
    };
    let invocation = Invocation {
        installs: INSTALLERS.contains(&verb),
        variables: args.variables.clone(),
        timeout: args.timeout.map(|s| s.0),
        silence: args.silence.map(|s| s.0),
        ..Invocation::new(effect, args.words.clone())
    };
    let answer = invoke::run(&cx, &scope, invocation).await?;
    if args.check {
        failure::check(&*cx.world.eyes, &answer)?;
    }
    Ok(ExecResult {
        ok: answer.ran.ok(),
        code: answer.ran.code,
        log: answer.log.as_ref().map(|log| log.display().to_string()),
        seconds: answer.ran.seconds,
        stdout: answer.ran.stdout,
        stderr: answer.ran.stderr,
    })
}

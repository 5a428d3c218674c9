//! Which generations an environment has, by whatever path or name it is called: two ways to one environment are one
//! series.

use std::path::Path;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ledger::Ledger;
use super::place::Place;
use crate::base::{Kind, Result};
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::environment;
use crate::world::fs::real::{is_same_path, is_within};

/// Tells the name of an environment's generations: those that it was adopted for, else the name that an adoption would
/// give them.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct NamedArgs {
    /// The environment: its name or folder.
    pub env: String,
}

pub async fn named(cx: Cx, args: NamedArgs) -> Result<String> {
    cx.blocking(move |cx| of(&cx, &args.env)).await
}

/// The same, off the script thread.
pub fn of(cx: &Cx, env: &str) -> Result<String> {
    let eyes = &*cx.world.eyes;
    let names = Place::names(cx)?;
    if names.iter().any(|name| name == env) {
        return Ok(env.to_owned());
    }
    let outside = Scope::open(cx, None)?;
    let info = match environment::find(eyes, &outside.config, env) {
        Err(trouble) if trouble.is(Kind::NotFound) => return Ok(last(env)),
        other => other?,
    };
    for name in names {
        let place = Place::of(cx, &name)?;
        // A folder or link of the generations themselves.
        if is_within(eyes, &info.path, &place.folder) {
            return Ok(name);
        }
        match Ledger::read(cx, place) {
            Ok(ledger) => {
                if ledger.origin().is_some_and(|origin| is_same_path(eyes, origin, &info.path)) {
                    return Ok(name);
                }
            }
            Err(trouble) => cx.world.warn(format!("of which environment '{name}' is: {}", trouble.message())),
        }
    }
    Ok(last(env))
}

fn last(env: &str) -> String {
    Path::new(env).file_name().map_or_else(|| env.to_owned(), |name| name.to_string_lossy().into_owned())
}

//! Marks installed specs as asked for, or as having come along.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::installed::{self, Named};
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::drive::{failure, invoke, locks};
use crate::spack::read::select::chosen;
use crate::spack::store::database::State;

/// Marks an installed spec as `explicit` (asked for) or `implicit` (came along, and garbage when nothing needs it).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct MarkArgs {
    /// The one installed spec, in Spack's syntax.
    pub query: String,
    /// `explicit` or `implicit`.
    #[serde(rename = "as")]
    pub as_what: Mark,
    /// Everything that matches the query, not only one.
    #[serde(default)]
    pub all: bool,
}

/// How a spec counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Explicit,
    Implicit,
}

/// What was marked.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Marked {
    pub specs: Vec<Named>,
    /// How many of them were marked otherwise before.
    pub changed: usize,
}

pub async fn mark(cx: Cx, args: MarkArgs) -> Result<Marked> {
    let scope = scope(&cx, None).await?;
    let _lock = locks::changing(&cx, &scope).await?;
    let explicit = args.as_what == Mark::Explicit;
    let again = scope.clone();
    let found =
        cx.blocking(move |cx| chosen(&cx, &again, &args.query, args.all, &[State::Installed])).await?;
    let specs: Vec<Named> = found.iter().map(Named::of).collect();
    let otherwise = found.iter().zip(&specs).filter(|(row, _)| row.explicit != explicit);
    let changed: Vec<(&str, &str)> =
        otherwise.map(|(_, named)| (named.name.as_str(), named.hash.as_str())).collect();
    set(&cx, &scope, &changed, args.as_what).await?;
    let changed = changed.len();
    Ok(Marked { specs, changed })
}

/// Marks installed specs, each with its name and its hash.
pub async fn set(cx: &Cx, scope: &Scope, specs: &[(&str, &str)], as_what: Mark) -> Result<()> {
    if specs.is_empty() {
        return Ok(());
    }
    let explicit = as_what == Mark::Explicit;
    let mut words = vec!["mark".to_owned(), if explicit { "-e" } else { "-i" }.to_owned()];
    words.extend(specs.iter().map(|(_, hash)| format!("/{hash}")));
    let answer = invoke::run(cx, scope, Invocation::changes(words)).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    let after = installed::now(cx, scope).await?;
    let wrong: Vec<String> = specs
        .iter()
        .filter(|(_, hash)| after.get(*hash).is_none_or(|h| h.explicit != explicit))
        .map(|(name, hash)| format!("{name}/{hash}"))
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!("{} ended well, but is not marked: {}", answer.title, wrong.join(", "));
    Err(answer.about(Trouble::new(Kind::NotDone, message)))
}

//! Marks installed specs as asked for, or as having come along.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chosen::chosen;
use super::database::State;
use super::held::{self, Named};
use super::invoke::{self, Invocation};
use super::session::scope;
use super::{failure, guard};
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;

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
    let _lock = guard::changing(&cx, &scope).await?;
    let explicit = args.as_what == Mark::Explicit;
    let again = scope.clone();
    let found =
        cx.blocking(move |cx| chosen(&cx, &again, &args.query, args.all, &[State::Installed])).await?;
    let specs: Vec<Named> = found.iter().map(Named::of).collect();
    let changed: Vec<&Named> =
        found.iter().zip(&specs).filter(|(row, _)| row.explicit != explicit).map(|(_, s)| s).collect();
    if changed.is_empty() {
        return Ok(Marked { specs, changed: 0 });
    }
    let mut words = vec!["mark".to_owned(), if explicit { "-e" } else { "-i" }.to_owned()];
    words.extend(changed.iter().map(|s| format!("/{}", s.hash)));
    let answer = invoke::run(&cx, &scope, Invocation::changes(words)).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    let after = held::now(&cx, &scope).await?;
    let wrong: Vec<String> = changed
        .iter()
        .filter(|s| after.get(&s.hash).is_none_or(|h| h.explicit != explicit))
        .map(|s| format!("{}/{}", s.name, s.hash))
        .collect();
    if !wrong.is_empty() {
        let message = format!("{} ended well, but is not marked: {}", answer.title, wrong.join(", "));
        return Err(answer.about(Trouble::new(Kind::NotDone, message)));
    }
    let changed = changed.len();
    Ok(Marked { specs, changed })
}

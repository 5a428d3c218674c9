//! Sees to it that a mirror has all that a snapshot needs, before the snapshot is taken.

use super::state;
use crate::base::{Kind, Result, Trouble};
use crate::mirror::push;
use crate::site::Cx;
use crate::spack::drive::installed::{self, Named};
use crate::spack::drive::session::Scope;
use crate::spack::lock::contents::LockContents;
use crate::spack::store::row::SpecRow;

/// Pushes what the mirror does not have of an environment, and gives what that was. What could not be pushed is found
/// before anything is.
pub async fn ensure(cx: &Cx, scope: &Scope, name: &str, partial: bool) -> Result<Vec<Named>> {
    let mirror = push::mirror(scope, name)?;
    let again = scope.clone();
    let (lock, states) = cx
        .blocking(move |cx| {
            let eyes = &*cx.world.eyes;
            let lock = LockContents::of_environment(eyes, again.inside()?)?.unwrap_or_default();
            let store = installed::read(&cx, &again)?;
            let states = state::of(eyes, &store, &lock, &[]);
            Ok((lock, states))
        })
        .await?;
    let title = &scope.inside()?.name;
    state::refuse_missing(title, &states, partial)?;
    let needed: Vec<&SpecRow> = states
        .iter()
        .filter(|s| !s.external && !s.build_only)
        .filter_map(|s| lock.specs.get(&s.hash))
        .collect();
    let absent = push::absent(cx, &mirror, &needed).await?;
    let there = |row: &&SpecRow| states.iter().any(|s| s.hash == row.hash && s.installed);
    let (can, cannot): (Vec<&SpecRow>, Vec<&SpecRow>) = absent.into_iter().partition(there);
    if !cannot.is_empty() {
        return Err(refused(title, name, &cannot));
    }
    if !can.is_empty() {
        push::push(cx, scope, &mirror, &can).await?;
        cx.world.say(format!("{} specs of {title} were pushed to mirror {name}", can.len()));
    }
    Ok(can.into_iter().map(Named::of).collect())
}

fn refused(env: &str, mirror: &str, cannot: &[&SpecRow]) -> Trouble {
    let names: Vec<String> = cannot
        .iter()
        .take(5)
        .map(|row| format!("{}@{}/{}", row.name, row.version, row.hash.get(..7).unwrap_or("")))
        .collect();
    let more = if cannot.len() > names.len() { ", …" } else { "" };
    let message = format!(
        "no snapshot was taken: {} specs of '{env}' are neither installed nor in mirror {mirror}: {}{more}",
        cannot.len(),
        names.join(", ")
    );
    Trouble::new(Kind::Refused, message)
        .hint(format!("install them first: moonstack env install {env}"))
        .fact("missing", cannot.iter().map(|row| row.hash.clone()).collect::<Vec<_>>())
}

//! Spack's list of environments: a generation is there while it exists, so that garbage collection spares it. An entry
//! is a link in the folder of the managed environments.

use std::path::{Path, PathBuf};

use super::place::Place;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::drive::{failure, invoke};
use crate::spack::environment;
use crate::world::Action;
use crate::world::fs::real::is_same_path;

/// Lets Spack know it.
pub async fn track(cx: &Cx, place: &Place, number: u64) -> Result<()> {
    let outside = scope(cx, None).await?;
    let folder = place.generation(number);
    if listed(cx, &outside, &folder)?.is_some() {
        return Ok(());
    }
    let (name, link) = entry(&outside, place, number)?;
    free(cx, place, number, &name, &link).await?;
    let words = ["env", "track", "-y", "-n", &name, &folder.display().to_string()].map(str::to_owned);
    let invocation = Invocation { touches: vec![link], ..Invocation::changes(words) };
    let answer = invoke::run(cx, &outside, invocation).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    if listed(cx, &outside.as_now(cx).await?, &folder)?.is_some() {
        return Ok(());
    }
    Err(answer.about(Trouble::new(
        Kind::NotDone,
        format!("{} ended well, but Spack does not list {}", answer.title, folder.display()),
    )))
}

/// Lets Spack forget it; the folder stays.
pub async fn untrack(cx: &Cx, place: &Place, number: u64) -> Result<()> {
    let outside = scope(cx, None).await?;
    let folder = place.generation(number);
    let Some(name) = listed(cx, &outside, &folder)? else {
        // Spack does not see an entry that leads to no environment, and would not take it away.
        let (_, link) = entry(&outside, place, number)?;
        return match environment::leads_to(&*cx.world.eyes, &link) {
            Some(target) if is_same_path(&*cx.world.eyes, &target, &folder) => {
                cx.world.perform(Action::RemovePath { path: link }).await.map(drop)
            }
            _ => Ok(()),
        };
    };
    let link = outside.config.environments_root()?.path.join(&name);
    let words = ["env", "untrack", "-y", &name].map(str::to_owned);
    let invocation = Invocation { touches: vec![link.clone()], ..Invocation::changes(words) };
    let answer = invoke::run(cx, &outside, invocation).await?;
    failure::check(&*cx.world.eyes, &answer)?;
    if cx.world.eyes.exists(&link)? {
        let message = format!("{} ended well, but {} is still there", answer.title, link.display());
        return Err(answer.about(Trouble::new(Kind::NotDone, message)));
    }
    Ok(())
}

/// The name by which Spack lists a folder.
fn listed(cx: &Cx, outside: &Scope, folder: &Path) -> Result<Option<String>> {
    let eyes = &*cx.world.eyes;
    let known = environment::list(eyes, &outside.config)?;
    Ok(environment::in_folder(eyes, &known, folder).map(|info| info.name.clone()))
}

/// What a generation is called in Spack's list, and where that is.
fn entry(outside: &Scope, place: &Place, number: u64) -> Result<(String, PathBuf)> {
    let name = place.tracked(number);
    let link = outside.config.environments_root()?.path.join(&name);
    Ok((name, link))
}

/// Sees to it that the name can be had. What is left of a generation whose folder is gone is taken away; Spack, which
/// does not list it, would fail at it with "File exists".
async fn free(cx: &Cx, place: &Place, number: u64, name: &str, link: &Path) -> Result<()> {
    if !cx.world.eyes.exists(link)? {
        return Ok(());
    }
    let target = environment::leads_to(&*cx.world.eyes, link);
    let ours = Path::new("generations").join(&place.name).join(number.to_string());
    match target {
        Some(target) if !cx.world.eyes.exists(&target)? && target.ends_with(&ours) => {
            cx.world.warn(format!(
                "Spack's list had an entry '{name}' for {}, which is gone; the entry was taken away",
                target.display()
            ));
            cx.world.perform(Action::RemovePath { path: link.to_owned() }).await.map(drop)
        }
        target => {
            let what = match target {
                Some(target) => format!("it leads to {}", target.display()),
                None => format!("in {}", link.display()),
            };
            let message =
                format!("Spack knows another environment by the name '{name}' of this generation: {what}");
            Err(Trouble::new(Kind::Exists, message).hint(format!(
                "`spack env untrack {name}` or `spack env remove {name}` gives the name back; \
                 --name makes another line of generations"
            )))
        }
    }
}

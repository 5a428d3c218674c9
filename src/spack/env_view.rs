//! What users meet of an environment: its views and module files, made again from what is installed. What is there
//! afterwards is looked at.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::failure;
use super::guard;
use super::invoke::{self, Invocation};
use super::manifest::Manifest;
use super::session::{Scope, scope};
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;

/// Makes the views and module files of an environment again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct RefreshArgs {
    /// Name of the environment, or its folder.
    pub name: String,
}

/// What was made.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Refreshed {
    /// Roots of views.
    pub views: Vec<PathBuf>,
    /// Roots of module files.
    pub modules: Vec<PathBuf>,
}

pub async fn refresh(cx: Cx, args: RefreshArgs) -> Result<Refreshed> {
    let scope = scope(&cx, Some(args.name)).await?;
    let _lock = guard::changing(&cx, &scope).await?;
    refresh_within(&cx, &scope).await
}

/// The same for who holds the environment's lock.
pub async fn refresh_within(cx: &Cx, scope: &Scope) -> Result<Refreshed> {
    let scope = &scope.as_now(cx).await?;
    let views = view_roots(cx, scope)?;
    let environment = scope.inside()?;
    if !views.is_empty() {
        let words = ["env", "view", "regenerate"].map(str::to_owned);
        let invocation = Invocation { touches: views.clone(), ..Invocation::changes(words) };
        let answer = invoke::run(cx, scope, invocation).await?;
        failure::check(&*cx.world.eyes, &answer)?;
        // An environment with nothing installed has no view.
        let gone = |root: &&PathBuf| environment.has_lock && dangles(cx, root);
        if let Some(root) = views.iter().find(gone) {
            let message = format!("{} ended well, but {} leads nowhere", answer.title, root.display());
            return Err(answer.about(Trouble::new(Kind::NotDone, message)));
        }
    }
    let mut modules = Vec::new();
    for set in scope.config.module_sets()? {
        for kind in set.enabled.iter().filter(|kind| matches!(kind.as_str(), "tcl" | "lmod")) {
            let Some((_, root)) = set.roots.iter().find(|(name, _)| name == kind) else { continue };
            let mut words = vec!["module".to_owned(), kind.clone()];
            if set.name != "default" {
                words.extend(["-n".to_owned(), set.name.clone()]);
            }
            words.extend(["refresh", "-y"].map(str::to_owned));
            // A tree of its own is made anew; one that others share only gets what is this environment's.
            if root.starts_with(&environment.path) {
                words.push("--delete-tree".to_owned());
            }
            let invocation = Invocation { touches: vec![root.clone()], ..Invocation::changes(words) };
            let answer = invoke::run(cx, scope, invocation).await?;
            failure::check(&*cx.world.eyes, &answer)?;
            modules.push(root.clone());
        }
    }
    Ok(Refreshed { views, modules })
}

fn dangles(cx: &Cx, root: &Path) -> bool {
    let eyes = &*cx.world.eyes;
    eyes.exists(root) && eyes.stat(root).is_err()
}

/// Roots of the views that the manifest asks for.
pub fn view_roots(cx: &Cx, scope: &Scope) -> Result<Vec<PathBuf>> {
    let manifest = Manifest::read(&*cx.world.eyes, &scope.config, None)?;
    Ok(manifest.views.into_iter().map(|view| view.root).collect())
}

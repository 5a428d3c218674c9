//! What users meet of an environment: its views and module files, made again from what is installed. What is there
//! afterwards is looked at.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::share;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::session::{Scope, scope};
use crate::spack::drive::{failure, invoke, locks};
use crate::spack::environment::manifest::Manifest;
use crate::world::fs::eyes::FileKind;
use crate::world::fs::real::is_within;
use crate::world::{Action, Eyes};

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
    let _lock = locks::changing(&cx, &scope).await?;
    let (cx, scope) = (&cx, &scope.as_now(&cx).await?);
    let views = view_roots(cx, scope)?;
    let environment = scope.inside()?;
    if !views.is_empty() {
        mend(cx, &views).await?;
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
        for (kind, root) in set.placed() {
            let mut words = vec!["module".to_owned(), kind.to_owned()];
            if set.name != "default" {
                words.extend(["-n".to_owned(), set.name.clone()]);
            }
            words.extend(["refresh", "-y"].map(str::to_owned));
            // A tree of its own is made anew; one that others share only gets what is this environment's.
            if is_within(&*cx.world.eyes, root, &environment.path) {
                words.push("--delete-tree".to_owned());
            }
            let invocation = Invocation { touches: vec![root.to_owned()], ..Invocation::changes(words) };
            let answer = invoke::run(cx, scope, invocation).await?;
            failure::check(&*cx.world.eyes, &answer)?;
            modules.push(root.to_owned());
        }
    }
    let made = views.iter().flat_map(|root| [root.clone(), trees(root)]).chain(modules.iter().cloned());
    share::trees(cx, scope, made.collect()).await?;
    Ok(Refreshed { views, modules })
}

/// Removes what is left of views that are broken, so that Spack makes them again.
pub async fn mend(cx: &Cx, roots: &[PathBuf]) -> Result<()> {
    for root in roots {
        if is_broken(cx, root) {
            clear(cx, root).await?;
        }
        for path in half_made(cx, root) {
            cx.world.perform(Action::RemovePath { path }).await?;
        }
    }
    Ok(())
}

/// The same where a run goes on that was interrupted: a Spack that was killed while it made a view cannot make it
/// again over what it has left. Otherwise another Spack may be at work on what looks half made.
pub async fn mend_interrupted(cx: &Cx, scope: &Scope) -> Result<()> {
    if cx.site.journal.replay().is_none() {
        return Ok(());
    }
    mend(cx, &view_roots(cx, &scope.as_now(cx).await?)?).await
}

/// Removes the trees of views whose link is lost: Spack cannot make the views again over them, and an installation
/// ends with that.
pub async fn make_room(cx: &Cx, scope: &Scope) -> Result<()> {
    let _lock = locks::changing(cx, scope).await?;
    let eyes = &*cx.world.eyes;
    for root in view_roots(cx, scope)?.iter().filter(|root| is_lost(eyes, root)) {
        clear(cx, root).await?;
    }
    Ok(())
}

/// Trees beside the one that the link leads to: Spack was killed before it pointed the link there, or before it
/// removed the old one.
fn half_made(cx: &Cx, root: &Path) -> Vec<PathBuf> {
    let eyes = &*cx.world.eyes;
    let target = eyes.read_link(root).ok();
    let used = target.as_deref().and_then(Path::file_name);
    let names = eyes.list(&trees(root)).unwrap_or_default();
    let others = names.into_iter().filter(|name| used.is_some_and(|used| used != name.as_str()));
    others.map(|name| trees(root).join(name)).collect()
}

/// Spack looks only at the link: what is damaged behind it stays, and a tree without a link is an error to it.
fn is_broken(cx: &Cx, root: &Path) -> bool {
    let eyes = &*cx.world.eyes;
    match eyes.stat(root) {
        Ok(_) => !follow(eyes, root, 1).problems.is_empty(),
        Err(trouble) if trouble.is(Kind::NotFound) => {
            [root, &trees(root)].iter().any(|path| eyes.exists(path).unwrap_or(false))
        }
        // What cannot be told is not mended.
        Err(_) => false,
    }
}

/// Its trees are there, and it is not.
fn is_lost(eyes: &dyn Eyes, root: &Path) -> bool {
    let is_there = |path: &Path, there: bool| eyes.exists(path).is_ok_and(|found| found == there);
    is_there(root, false) && is_there(&trees(root), true)
}

/// What was met in a view.
#[derive(Debug, Default)]
pub struct Followed {
    pub links: usize,
    pub problems: Vec<String>,
}

/// Follows every link of a view that is there, until so many are found that lead nowhere.
pub fn follow(eyes: &dyn Eyes, root: &Path, most: usize) -> Followed {
    follow_each(eyes, root, most, |_| {})
}

/// The same, and looks at each link that leads to something.
pub fn follow_each(eyes: &dyn Eyes, root: &Path, most: usize, mut look: impl FnMut(&Path)) -> Followed {
    let mut found = Followed::default();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = eyes.entries(&folder).unwrap_or_else(|trouble| {
            found.problems.push(trouble.message().to_owned());
            Vec::new()
        });
        for (path, kind) in entries.into_iter().map(|(name, kind)| (folder.join(name), kind)) {
            match kind {
                FileKind::Folder => folders.push(path),
                FileKind::Link => {
                    found.links += 1;
                    if eyes.stat(&path).is_err() {
                        found.problems.push(format!("{} leads nowhere", path.display()));
                    } else {
                        look(&path);
                    }
                }
                FileKind::File | FileKind::Other => {}
            }
        }
        if found.problems.len() >= most {
            break;
        }
    }
    found
}

/// Gives the views that Spack has made on its way to who may use them.
pub async fn share_views(cx: &Cx, name: &str) -> Result<()> {
    let scope = scope(cx, Some(name.to_owned())).await?;
    let made = view_roots(cx, &scope)?.into_iter().flat_map(|root| [trees(&root), root]);
    share::trees(cx, &scope, made.collect()).await
}

/// Where the trees of a view are that its link leads to.
fn trees(root: &Path) -> PathBuf {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    root.with_file_name(format!("._{name}"))
}

async fn clear(cx: &Cx, root: &Path) -> Result<()> {
    for path in [root.to_owned(), trees(root)] {
        // Only what Spack has made: a link, and the folder that it leads into.
        let kind = cx.world.eyes.lstat(&path).ok().map(|stat| stat.kind);
        if kind == Some(FileKind::Link) || (kind == Some(FileKind::Folder) && path != root) {
            cx.world.perform(Action::RemovePath { path }).await?;
        }
    }
    Ok(())
}

fn dangles(cx: &Cx, root: &Path) -> bool {
    let eyes = &*cx.world.eyes;
    eyes.exists(root).unwrap_or(false) && eyes.stat(root).is_err_and(|trouble| trouble.is(Kind::NotFound))
}

/// Roots of the views that the manifest asks for.
pub fn view_roots(cx: &Cx, scope: &Scope) -> Result<Vec<PathBuf>> {
    let manifest = Manifest::read(&*cx.world.eyes, &scope.config)?;
    Ok(manifest.views.into_iter().map(|view| view.root).collect())
}

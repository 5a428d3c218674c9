//! Lets a real Spack work on copies: the environment's files as the plan would have left them, without its views,
//! the database if anything was pretended in it, and caches of its own.

use std::path::{Path, PathBuf};

use crate::base::{Kind, Result, Trouble, digest};
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::spack::environment::manifest::edit::without_view;
use crate::world::fs::copy;
use crate::world::proc::program::Program;
use crate::world::seam::scene::PlanContext;

/// The same command with everything that it may write put aside. Its limits and listeners stay.
pub fn aside(scene: &PlanContext<'_>, cx: &Cx, scope: &Scope, program: Program) -> Result<Program> {
    let scratch = scene.scratch()?;
    let mut argv = program.argv.into_iter();
    let mut out: Vec<String> = argv.next().into_iter().collect();
    let mut rest: Vec<String> = argv.collect();
    out.extend(["-c".to_owned(), format!("config:misc_cache:{}", caches(&scratch, scope)?.display())]);
    if let Some(store) = store(scene, &scratch, scope)? {
        out.extend(["-c".to_owned(), format!("config:install_tree:root:{}", store.display())]);
        if scope.install_tree()?.padded_length.is_some() {
            out.extend(["-c".to_owned(), "config:install_tree:padded_length:0".to_owned()]);
        }
    }
    if let Some(environment) = &scope.environment {
        let folder = environment_copy(scene, cx, &environment.path)?;
        // Named, or by its folder: what stands there is the real one.
        if let Some(at) = rest.iter().position(|w| w == "-e" || w == "-D") {
            rest.splice(at..(at + 2).min(rest.len()), ["-D".to_owned(), folder.display().to_string()]);
        }
    }
    out.extend(rest);
    let mut program = Program { argv: out, log: None, ..program };
    // Byte code of recipes would be written beside them.
    program.env.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
    Ok(program)
}

/// Spack's cache of indices, which it renews by renaming: links to what is there save minutes and change nothing.
/// Solutions are left out, since those are written in place.
fn caches(scratch: &Path, scope: &Scope) -> Result<PathBuf> {
    let caches = scratch.join("misc_cache");
    if !caches.exists() {
        let real = scope.config.misc_cache()?.path;
        let is_lock = |name: &str| Path::new(name).extension().is_some_and(|e| e == "lock");
        copy::linked(&real, &caches, &|name| name != "concretization" && !is_lock(name))?;
    }
    Ok(caches)
}

/// A store that has only the pretended database; the prefixes stay where they are.
fn store(scene: &PlanContext<'_>, scratch: &Path, scope: &Scope) -> Result<Option<PathBuf>> {
    let index = scope.install_tree()?.root.join(".spack-db/index.json");
    if !scene.overlay.covers(&index) {
        return Ok(None);
    }
    let root = scratch.join("store");
    let bytes = match scene.eyes.read(&index) {
        Err(trouble) if trouble.is(Kind::NotFound) => return Ok(None),
        other => other?,
    };
    copy::write(&root.join(".spack-db/index.json"), &bytes)?;
    Ok(Some(root))
}

/// The folder of a copied environment.
pub fn environment_copy(scene: &PlanContext<'_>, cx: &Cx, path: &Path) -> Result<PathBuf> {
    let name = digest::bytes(path.as_os_str().as_encoded_bytes());
    let folder = scene.scratch()?.join("environments").join(name.get(..12).unwrap_or(&name));
    let eyes = &*cx.world.eyes;
    // Beside the two files there may be what they include by relative paths.
    copy::pointed(path, &folder, &["spack.yaml", "spack.lock", ".spack-env"])?;
    let text = eyes.read_text(&path.join("spack.yaml"))?;
    let bare = without_view(&text).ok_or_else(|| {
        Trouble::new(
            Kind::Unsupported,
            format!("the view of {} cannot be turned off in a copy", path.join("spack.yaml").display()),
        )
        .hint("without that a plan might change the real view")
    })?;
    copy::write(&folder.join("spack.yaml"), bare.as_bytes())?;
    let (lock, copied) = (path.join("spack.lock"), folder.join("spack.lock"));
    if eyes.exists(&lock)? {
        copy::write(&copied, &eyes.read(&lock)?)?;
    } else {
        copy::absent(&copied)?;
    }
    Ok(folder)
}

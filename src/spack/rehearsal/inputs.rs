//! What a plan over Spack depends on, and how each of these is looked at again before it is applied.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::base::{Result, digest};
use crate::site::Cx;
use crate::spack::config::locate;
use crate::spack::drive::installed::{self, Store};
use crate::spack::drive::session::Scope;
use crate::spack::store::recipes::recipe_of;
use crate::spack::store::row::SpecRow;
use crate::world::Eyes as _;
use crate::world::fs::eyes::LiveEyes;
use crate::world::seam::input::{Input, InputKind};
use crate::world::seam::predicted::SpecEffect;

/// What every command depends on: Spack itself, the configuration, the environment's two files, repositories.
pub fn note(cx: &Cx, scope: &Scope) -> Result<()> {
    let depends = |kind, name: &str, look: &dyn Fn() -> Result<Input>| {
        cx.world.hands.depends(kind, name, &[], &|_| look())
    };
    let spack = spack(scope);
    depends(InputKind::Spack, &spack.name, &|| Ok(spack.clone()))?;
    for known in scope.config.scopes.iter().filter_map(|s| s.path.as_ref()) {
        if scope.environment.as_ref().is_some_and(|e| e.manifest_file() == *known) {
            continue;
        }
        depends(InputKind::Configuration, &known.display().to_string(), &|| configuration(known))?;
    }
    if let Some(environment) = &scope.environment {
        for (kind, file) in
            [(InputKind::Manifest, environment.manifest_file()), (InputKind::Lock, environment.lock_file())]
        {
            depends(kind, &file.display().to_string(), &|| Input::file(kind, &file))?;
        }
    }
    Ok(())
}

fn spack(scope: &Scope) -> Input {
    let installation = &scope.spack.installation;
    let digest = installation.commit.as_ref().unwrap_or(&installation.version_text);
    Input::new(InputKind::Spack, installation.root.display().to_string(), digest.as_str())
}

/// One scope: a file, or the files of a folder.
fn configuration(path: &Path) -> Result<Input> {
    if path.is_dir() {
        let mut lines = String::new();
        for name in LiveEyes.list(path)? {
            if Path::new(&name).extension().is_some_and(|e| e == "yaml") {
                let file = Input::file(InputKind::Configuration, &path.join(&name))?;
                lines.push_str(&format!("{name} {}\n", file.digest));
            }
        }
        let digest = digest::bytes(lines.as_bytes());
        Ok(Input::new(InputKind::Configuration, path.display().to_string(), digest))
    } else {
        Input::file(InputKind::Configuration, path)
    }
}

/// The specs that an installation is about: what of them is in the store, and their recipes.
pub fn note_specs(
    cx: &Cx,
    scope: &Scope,
    specs: &BTreeMap<String, SpecRow>,
    effects: &[SpecEffect],
) -> Result<()> {
    let hashes: Vec<String> = effects.iter().map(|e| e.hash.clone()).collect();
    let store = installed::read(cx, scope)?;
    note_hashes(cx, scope, &store, &hashes)?;
    let names: Vec<&str> = effects
        .iter()
        .filter(|e| e.is_new())
        .filter_map(|e| specs.get(&e.hash))
        .map(|row| row.name.as_str())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    for folder in scope.config.recipe_folders(&*cx.world.eyes)? {
        let name = folder.display().to_string();
        cx.world.hands.depends(InputKind::Repository, &name, &names, &|new| repository(&folder, new))?;
    }
    Ok(())
}

pub fn note_hashes(cx: &Cx, scope: &Scope, store: &Store, hashes: &[String]) -> Result<()> {
    let root = scope.install_tree()?.root;
    let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
    let name = root.display().to_string();
    cx.world.hands.depends(InputKind::Store, &name, &hashes, &|new| Ok(states(store, &name, new)))
}

fn states(store: &Store, name: &str, hashes: &[&str]) -> Input {
    let parts = hashes.iter().map(|hash| format!("{hash} {}", state(store, hash))).collect();
    Input::of_parts(InputKind::Store, name, parts)
}

fn state(store: &Store, hash: &str) -> &'static str {
    match store.get(hash) {
        Some(held) if held.installed && held.explicit => "explicit",
        Some(held) if held.installed => "installed",
        _ => "absent",
    }
}

/// The commit of a repository and the recipes that count; an edited recipe counts without a commit.
fn repository(folder: &Path, names: &[&str]) -> Result<Input> {
    let eyes = LiveEyes;
    let commit = locate::commit_of(&eyes, folder);
    let mut parts = vec![format!("commit {}", commit.unwrap_or_else(|| "none".to_owned()))];
    for name in names {
        let digest = match recipe_of(&eyes, folder, name) {
            Some(recipe) => eyes.digest(&recipe)?,
            None => String::from("absent"),
        };
        parts.push(format!("{name} {digest}"));
    }
    Ok(Input::of_parts(InputKind::Repository, folder.display().to_string(), parts))
}

/// The same input as it is now.
pub fn look_again(cx: &Cx, input: &Input) -> Result<Input> {
    let path = Path::new(&input.name);
    Ok(match input.kind {
        InputKind::Spack => {
            let scope = Scope::open(cx, None)?;
            spack(&scope)
        }
        InputKind::Configuration => configuration(path)?,
        InputKind::Repository => {
            repository(path, &input.keys().filter(|key| *key != "commit").collect::<Vec<_>>())?
        }
        InputKind::Store => {
            let scope = Scope::open(cx, None)?;
            let store = installed::read(cx, &scope)?;
            states(&store, &input.name, &input.keys().collect::<Vec<_>>())
        }
        _ => Input::file(input.kind, path)?,
    })
}

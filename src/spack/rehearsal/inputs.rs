//! What a plan over Spack depends on, and how each of these is looked at again before it is applied.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::facts::SpecEffect;
use crate::base::{Result, digest};
use crate::site::Cx;
use crate::spack::held::{self, Store};
use crate::spack::locate;
use crate::spack::row::SpecRow;
use crate::spack::session::Scope;
use crate::world::input::{Input, InputKind};
use crate::world::planning::real_digest;

/// What every command depends on: Spack itself, the configuration, the environment's two files, repositories.
pub fn note(cx: &Cx, scope: &Scope) -> Result<()> {
    let hands = &cx.world.hands;
    hands.depends(&|| Ok(spack(scope)))?;
    for known in scope.config.scopes.iter().filter_map(|s| s.path.as_ref()) {
        if scope.environment.as_ref().is_some_and(|e| e.manifest_file() == *known) {
            continue;
        }
        hands.depends(&|| configuration(known))?;
    }
    if let Some(environment) = &scope.environment {
        let file = |kind, path: &Path| Ok(Input::new(kind, path.display().to_string(), real_digest(path)?));
        hands.depends(&|| file(InputKind::Manifest, &environment.manifest_file()))?;
        hands.depends(&|| file(InputKind::Lock, &environment.lock_file()))?;
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
    let eyes = crate::world::eyes::LiveEyes;
    let digest = if path.is_dir() {
        let mut lines = String::new();
        for name in crate::world::Eyes::list(&eyes, path)? {
            if Path::new(&name).extension().is_some_and(|e| e == "yaml") {
                lines.push_str(&format!("{name} {}\n", real_digest(&path.join(&name))?));
            }
        }
        digest::bytes(lines.as_bytes())
    } else {
        real_digest(path)?
    };
    Ok(Input::new(InputKind::Configuration, path.display().to_string(), digest))
}

/// The specs that an installation is about: what of them is in the store, and their recipes.
pub fn note_specs(
    cx: &Cx,
    scope: &Scope,
    specs: &BTreeMap<String, SpecRow>,
    effects: &[SpecEffect],
) -> Result<()> {
    let hashes: Vec<String> = effects.iter().map(|e| e.hash.clone()).collect();
    let store = held::read(cx, scope)?;
    note_hashes(cx, scope, &store, &hashes)?;
    let names: BTreeSet<&str> = effects
        .iter()
        .filter(|e| e.is_new())
        .filter_map(|e| specs.get(&e.hash))
        .map(|row| row.name.as_str())
        .collect();
    for repo in scope.config.repos()? {
        for folder in repo.folders(&*cx.world.eyes)? {
            cx.world.hands.depends(&|| repository(&folder, names.iter().copied()))?;
        }
    }
    Ok(())
}

pub fn note_hashes(cx: &Cx, scope: &Scope, store: &Store, hashes: &[String]) -> Result<()> {
    let root = scope.install_tree()?.root;
    cx.world.hands.depends(&|| {
        let parts = hashes.iter().map(|hash| format!("{hash} {}", state(store, hash))).collect();
        Ok(Input::of_parts(InputKind::Store, root.display().to_string(), parts))
    })
}

fn state(store: &Store, hash: &str) -> &'static str {
    match store.get(hash) {
        Some(held) if held.installed && held.explicit => "explicit",
        Some(held) if held.installed => "installed",
        _ => "absent",
    }
}

/// The commit of a repository and the recipes that count; an edited recipe counts without a commit.
fn repository<'a>(folder: &Path, names: impl Iterator<Item = &'a str>) -> Result<Input> {
    let eyes = crate::world::eyes::LiveEyes;
    let commit = folder.ancestors().find_map(|at| locate::commit(&eyes, at));
    let mut parts = vec![format!("commit {}", commit.unwrap_or_else(|| "none".to_owned()))];
    for name in names {
        let recipe = ["", "_"].iter().find_map(|mark| {
            let module =
                format!("{mark}{}", if mark.is_empty() { name.to_owned() } else { name.replace('-', "_") });
            let path = folder.join("packages").join(module).join("package.py");
            path.is_file().then_some(path)
        });
        let module = folder.join("packages").join(name.replace('-', "_")).join("package.py");
        let path = recipe.unwrap_or(module);
        parts.push(format!("{name} {}", real_digest(&path)?));
    }
    Ok(Input::of_parts(InputKind::Repository, folder.display().to_string(), parts))
}

/// The same input as it is now.
pub fn look_again(cx: &Cx, input: &Input) -> Result<Input> {
    let path = Path::new(&input.name);
    let keys = || input.parts.iter().filter_map(|part| part.split(' ').next());
    Ok(match input.kind {
        InputKind::Spack => {
            let scope = Scope::open(cx, None)?;
            spack(&scope)
        }
        InputKind::Configuration => configuration(path)?,
        InputKind::Repository => repository(path, keys().filter(|key| *key != "commit"))?,
        InputKind::Store => {
            let scope = Scope::open(cx, None)?;
            let store = held::read(cx, &scope)?;
            let parts = keys().map(|hash| format!("{hash} {}", state(&store, hash))).collect();
            Input::of_parts(InputKind::Store, input.name.as_str(), parts)
        }
        _ => Input::new(input.kind, input.name.as_str(), real_digest(path)?),
    })
}

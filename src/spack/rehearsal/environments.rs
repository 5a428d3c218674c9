//! Creating and deleting environments and editing what they ask for, pretended.

use std::path::Path;

use crate::base::Result;
use crate::spack::environment;
use crate::spack::environment::manifest::Manifest;
use crate::spack::environment::manifest::edit::MANIFEST;
use crate::spack::environment::manifest::edit_roots::{Change, edited};
use crate::spack::environment::manifest::elements::with_specs;
use crate::spack::rehearsal::command::{Command, ended};
use crate::world::proc::program::Ran;
use crate::world::seam::predicted::EnvironmentTouched;
use crate::world::seam::scene::PlanContext;

pub fn add(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    let changes = command.plain().map(|spec| Change::Add { spec: spec.clone() }).collect::<Vec<_>>();
    edit(scene, command, &changes)
}

pub fn remove(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    let changes = command.plain().map(|root| Change::Drop { root: root.clone() }).collect::<Vec<_>>();
    edit(scene, command, &changes)
}

fn edit(scene: &PlanContext<'_>, command: &Command<'_>, changes: &[Change]) -> Result<Ran> {
    let environment = command.scope.inside()?;
    let file = environment.manifest_file();
    let text = command.cx.world.eyes.read_text(&file)?;
    let lists = Manifest::read(&*command.cx.world.eyes, &command.scope.config)?.lists;
    match edited(&text, &lists, changes) {
        Ok(changed) if changed == text => return Ok(ended(1, "Error: nothing in the manifest matches\n")),
        Ok(changed) => scene.overlay.write(&file, changed.into_bytes(), None),
        Err(trouble) => return Ok(ended(1, &format!("Error: {}\n", trouble.message()))),
    }
    command.scope.spack.forget();
    touched(scene, &environment.name, "manifest");
    Ok(ended(0, ""))
}

fn touched(scene: &PlanContext<'_>, name: &str, what: &str) {
    let (name, changed) = (name.to_owned(), vec![what.to_owned()]);
    scene.detail("environments", [EnvironmentTouched { name, changed, ..EnvironmentTouched::default() }]);
}

/// What `spack env create` writes, in meaning.
pub fn create(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    let mut words = command.words.iter().skip(1);
    let (mut folder, mut view, mut includes) = (false, String::from("true"), Vec::new());
    let mut plain: Vec<&String> = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-d" | "--dir" => folder = true,
            "--without-view" => view = String::from("false"),
            "--with-view" => view = words.next().map_or(view, Clone::clone),
            "--include-concrete" => includes.extend(words.next()),
            _ => plain.push(word),
        }
    }
    let Some(name) = plain.first() else { return Ok(ended(2, "Error: no name\n")) };
    let path = if folder {
        Path::new(name).to_owned()
    } else {
        command.scope.config.environments_root()?.path.join(name)
    };
    let mut manifest = MANIFEST.replace("view: true", &format!("view: {view}"));
    if !includes.is_empty() {
        manifest.push_str("  include_concrete:\n");
        for include in includes {
            let found = environment::find(&*command.cx.world.eyes, &command.scope.config, include)?;
            manifest.push_str(&format!("  - {}\n", quoted(&found.path.display().to_string())));
        }
    }
    scene.overlay.make_folder(&path);
    if let Some(from) = plain.get(1) {
        let bytes = command.cx.world.eyes.read(Path::new(from))?;
        if Path::new(from).extension().is_some_and(|e| e == "lock") {
            manifest = from_lock(&manifest, &bytes)?;
            scene.overlay.write(&path.join("spack.lock"), bytes, None);
        } else {
            manifest = String::from_utf8_lossy(&bytes).into_owned();
        }
    }
    scene.overlay.write(&path.join("spack.yaml"), manifest.into_bytes(), None);
    command.scope.spack.forget();
    touched(scene, name, "created");
    Ok(ended(0, ""))
}

fn from_lock(manifest: &str, bytes: &[u8]) -> Result<String> {
    let text =
        crate::spack::lock::lockfile::LockfileText::from_bytes(Path::new("spack.lock"), bytes.to_vec())?;
    let roots: Vec<String> = text.parse()?.roots().iter().map(|r| r.spec.to_string()).collect();
    Ok(with_specs(manifest, &roots).unwrap_or_else(|| manifest.to_owned()))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `spack env track -y -n NAME DIR`.
pub fn track(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    let mut words = command.words.iter().skip(1);
    let (mut name, mut folder) = (None, None);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-n" | "--name" => name = words.next(),
            option if option.starts_with('-') => {}
            _ => folder = Some(word),
        }
    }
    let (Some(name), Some(folder)) = (name, folder) else {
        scene.assume("how the environment is called was left to Spack");
        return Ok(ended(0, ""));
    };
    let link = command.scope.config.environments_root()?.path.join(name);
    if command.cx.world.eyes.exists(&link)? {
        return Ok(ended(1, "Error: there is an environment of that name\n"));
    }
    if let Some(root) = link.parent() {
        scene.overlay.make_folder(root);
    }
    scene.overlay.point(&link, Path::new(folder));
    command.scope.spack.forget();
    touched(scene, name, "tracked");
    Ok(ended(0, ""))
}

/// `spack env untrack -y NAME…`.
pub fn untrack(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    for name in command.plain().skip(1) {
        let link = command.scope.config.environments_root()?.path.join(name);
        if !command.cx.world.eyes.exists(&link)? {
            return Ok(ended(1, "Error: there is no such environment\n"));
        }
        scene.overlay.remove(&link);
        touched(scene, name, "untracked");
    }
    command.scope.spack.forget();
    Ok(ended(0, ""))
}

pub fn delete(scene: &PlanContext<'_>, command: &Command<'_>) -> Result<Ran> {
    for name in command.plain().skip(1) {
        let path = command.scope.config.environments_root()?.path.join(name);
        if !command.cx.world.eyes.exists(&path)? {
            return Ok(ended(1, "Error: there is no such environment\n"));
        }
        scene.overlay.remove(&path);
        touched(scene, name, "deleted");
    }
    command.scope.spack.forget();
    Ok(ended(0, ""))
}

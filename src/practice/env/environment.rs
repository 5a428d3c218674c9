//! Environments on disk: manifest, lock file of version 6, and the view, as Spack 1.1 keeps them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::practice::config::read_yaml;
use crate::practice::model::disk;
use crate::practice::model::halt::Halt;
use crate::practice::model::query::parse_one;
use crate::practice::model::record::Nodes;
use crate::world::fs::lock::{self, Mode, Range, SpackLock};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Root {
    pub hash: String,
    pub spec: String,
}

#[derive(Debug, Clone, Default)]
pub struct Lock {
    pub roots: Vec<Root>,
    pub nodes: Nodes,
}

/// Whether the roots of an environment share one configuration of each package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unify {
    Always,
    WhenPossible,
    Never,
}

#[derive(Debug, Clone)]
pub struct Environment {
    /// Its name when it is managed, else its folder.
    pub name: String,
    pub folder: PathBuf,
}

impl Environment {
    /// The environment that a name or path on the command line means.
    pub fn find(word: &str, environments: &Path, only_path: bool) -> Result<Environment, Halt> {
        let managed = environments.join(word);
        if !only_path && managed.join("spack.yaml").is_file() {
            return Ok(Environment { name: word.to_owned(), folder: managed });
        }
        let folder = absolute(Path::new(word))?;
        if !folder.join("spack.yaml").is_file() {
            return Err(Halt::failed(format!("no environment in {word}")));
        }
        let name = name_of(&folder, environments);
        Ok(Environment { name, folder })
    }

    /// A path of the manifest: taken from the environment's folder, unless it is absolute.
    pub fn path_in(&self, text: &str) -> PathBuf {
        let text = text.replace("$env", &self.folder.to_string_lossy());
        normal(&self.folder.join(text))
    }

    pub fn manifest_path(&self) -> PathBuf {
        self.folder.join("spack.yaml")
    }

    pub fn lock_path(&self) -> PathBuf {
        self.folder.join("spack.lock")
    }

    fn data(&self, name: &str) -> PathBuf {
        self.folder.join(".spack-env").join(name)
    }

    pub fn view_path(&self) -> PathBuf {
        self.data("view")
    }

    /// What stands under `spack:`.
    pub fn manifest(&self) -> Result<Map<String, Value>, Halt> {
        let path = self.manifest_path();
        let file = read_yaml(&path).map_err(|h| Halt {
            text: format!("Invalid environment configuration detected: {}", h.text),
            ..h
        })?;
        match file.as_ref().and_then(|f| f.get("spack")) {
            Some(Value::Object(map)) => Ok(map.clone()),
            Some(Value::Null) | None => Ok(Map::new()),
            Some(_) => Err(Halt::failed(format!("{}:1: the environment is not a mapping", path.display()))),
        }
    }

    /// The files and folders of configuration that the manifest includes, the strongest first.
    pub fn included(&self) -> Result<Vec<PathBuf>, Halt> {
        let manifest = self.manifest()?;
        let mut paths = Vec::new();
        for entry in manifest.get("include").and_then(Value::as_array).into_iter().flatten() {
            let Some(text) = entry.as_str().or_else(|| entry.get("path")?.as_str()) else { continue };
            let path = self.path_in(text);
            if path.exists() {
                paths.push(path);
            } else if entry.get("optional") != Some(&Value::Bool(true)) {
                return Err(Halt::internal(format!(
                    "Required path ({text}) does not exist at ({})",
                    path.display()
                )));
            }
        }
        Ok(paths)
    }

    /// The specs of the manifest, definitions and matrices apart.
    pub fn user_specs(&self) -> Result<Vec<String>, Halt> {
        let manifest = self.manifest()?;
        let list = manifest.get("specs").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    }

    pub fn unify(&self) -> Result<Unify, Halt> {
        let manifest = self.manifest()?;
        match manifest.get("concretizer").and_then(|c| c.get("unify")) {
            None | Some(Value::Bool(true)) => Ok(Unify::Always),
            Some(Value::Bool(false)) => Ok(Unify::Never),
            Some(Value::String(word)) if word == "when_possible" => Ok(Unify::WhenPossible),
            Some(other) => Err(Halt::failed(format!("{other} is not valid under concretizer:unify"))),
        }
    }

    pub fn lock(&self) -> Result<Lock, Halt> {
        let path = self.lock_path();
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Lock::default()),
            Err(e) => return Err(Halt::internal(format!("{e}: '{}'", path.display()))),
        };
        let file: Value = serde_json::from_slice(&text).map_err(|e| {
            Halt::internal(format!("Expecting value: line {} column {}", e.line(), e.column()))
        })?;
        let version = file.pointer("/_meta/lockfile-version").and_then(Value::as_u64).unwrap_or(0);
        if version != 6 {
            return Err(Halt::failed(format!(
                "Spack 1.1.0 cannot read the lockfile '{}', using the v{version} format. You need to use a newer Spack version.",
                path.display()
            )));
        }
        let part = |name: &str| file.get(name).cloned().unwrap_or_else(|| json!([]));
        let damaged = |e: serde_json::Error| Halt::internal(format!("{}: {e}", path.display()));
        Ok(Lock {
            roots: serde_json::from_value(part("roots")).map_err(damaged)?,
            nodes: match file.get("concrete_specs") {
                Some(nodes) => serde_json::from_value(nodes.clone()).map_err(damaged)?,
                None => Nodes::new(),
            },
        })
    }

    /// The write lock that Spack takes while it changes the two files.
    pub fn transaction(&self) -> Result<Option<SpackLock>, Halt> {
        disk::touch(&self.data("transaction_lock"))?;
        Ok(lock::lock(&self.data("transaction_lock"), Mode::Write, Range::WHOLE, Duration::from_mins(1))?)
    }

    pub fn write_lock(&self, lock: &Lock) -> Result<(), Halt> {
        if lock.roots.is_empty() {
            return Ok(disk::remove(&self.lock_path())?);
        }
        let file = json!({
            "_meta": {"file-type": "spack-lockfile", "lockfile-version": 6, "specfile-version": 5},
            "spack": {"version": crate::practice::model::release::VERSION, "type": "release"},
            "roots": lock.roots,
            "concrete_specs": lock.nodes,
        });
        let temporary = self.folder.join(".spack.lock.tmp");
        Ok(disk::replace(&self.lock_path(), &temporary, file.to_string().as_bytes())?)
    }

    /// Root hash and whether the lock still stands for a spec of the manifest.
    pub fn concretized(&self) -> Result<Vec<(String, Option<String>)>, Halt> {
        let lock = self.lock()?;
        let mut out = Vec::new();
        for text in self.user_specs()? {
            let spec = parse_one(&text)?;
            let root =
                lock.roots.iter().find(|r| r.spec == text || parse_one(&r.spec).is_ok_and(|s| s == spec));
            out.push((text, root.map(|r| r.hash.clone())));
        }
        Ok(out)
    }

    /// Replaces the specs of the manifest, leaving everything else as it is.
    pub fn write_specs(&self, specs: &[String]) -> Result<(), Halt> {
        self.rewrite(|text| with_specs(text, specs))
    }

    /// Writes `view: VALUE` into the manifest.
    pub fn write_view(&self, value: &str) -> Result<(), Halt> {
        let value =
            crate::practice::config::to_yaml(&serde_saphyr::from_str(value).unwrap_or(json!(value)), 0);
        self.rewrite(|text| with_entry(text, "view", |out, pad| out.push_str(&format!("{pad}view: {value}"))))
    }

    fn rewrite(&self, change: impl Fn(&str) -> String) -> Result<(), Halt> {
        let path = self.manifest_path();
        let text = std::fs::read_to_string(&path)
            .map_err(|e| Halt::internal(format!("{e}: '{}'", path.display())))?;
        let new = change(&text);
        let temporary = self.folder.join(".spack.yaml.tmp");
        Ok(disk::replace(&path, &temporary, new.as_bytes())?)
    }
}

/// The path from the root, without `.` and `..`; links stay, since a view's content names the path as it was given.
pub fn absolute(path: &Path) -> Result<PathBuf, Halt> {
    let whole = std::path::absolute(path).map_err(|e| Halt::internal(e.to_string()))?;
    Ok(normal(&whole))
}

fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(out.pop()),
            std::path::Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// The name of a managed or tracked environment; any other is called by its folder.
fn name_of(folder: &Path, environments: &Path) -> String {
    let resolved = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let last = folder.file_name().unwrap_or_default();
    if resolved(&environments.join(last)) == resolved(folder) {
        return last.to_string_lossy().into_owned();
    }
    folder.to_string_lossy().into_owned()
}

/// The manifest's text with another list of specs.
fn with_specs(text: &str, specs: &[String]) -> String {
    with_entry(text, "specs", |out, pad| push_specs(out, pad, specs))
}

/// The manifest's text with another entry for the key, everything else as it was.
fn with_entry(text: &str, key: &str, push: impl Fn(&mut String, &str)) -> String {
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    let mut done = false;
    while let Some(line) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let names_it = line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
        if done || indent == 0 || !names_it {
            out.push_str(line);
            out.push('\n');
            continue;
        }
        done = true;
        while let Some(next) = lines.peek() {
            let deeper = next.len() - next.trim_start().len();
            if next.trim().is_empty()
                || deeper > indent
                || deeper == indent && next.trim_start().starts_with('-')
            {
                lines.next();
            } else {
                break;
            }
        }
        push(&mut out, &" ".repeat(indent));
    }
    if !done {
        push(&mut out, "  ");
    }
    out
}

fn push_specs(out: &mut String, pad: &str, specs: &[String]) {
    if specs.is_empty() {
        out.push_str(&format!("{pad}specs: []\n"));
        return;
    }
    out.push_str(&format!("{pad}specs:\n"));
    let list = Value::from(specs.to_vec());
    for line in crate::practice::config::to_yaml(&list, 0).lines() {
        out.push_str(&format!("{pad}{line}\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::environment::manifest::edit::MANIFEST;

    #[test]
    fn specs_are_replaced_and_comments_stay() {
        let one = with_specs(MANIFEST, &["hdf5+mpi".to_owned(), "cmake@3.30: %gcc".to_owned()]);
        assert!(one.contains("  specs:\n  - hdf5+mpi\n  - "), "{one}");
        assert!(one.contains("# add package specs"), "{one}");
        assert_eq!(with_specs(&one, &[]), MANIFEST);
    }
}

//! Configuration as Spack 1.1 merges it: defaults, system, site, user, `etc/spack`, environment, `-C` and `-c`,
//! lowest first; mappings merge, lists grow at the front, `key::` replaces (contract 1.2). Nothing is written here.

pub(crate) mod fault;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::practice::model::halt::Halt;
use crate::practice::model::query;
use crate::practice::model::record::{FAMILY, FLAGS, Node, package_hash};
use crate::spack::spec::VariantValue;

pub const SECTIONS: [&str; 16] = [
    "bootstrap",
    "cdash",
    "ci",
    "compilers",
    "concretizer",
    "config",
    "definitions",
    "develop",
    "env_vars",
    "include",
    "mirrors",
    "modules",
    "packages",
    "repos",
    "toolchains",
    "upstreams",
];

pub type Variables = BTreeMap<String, String>;

pub struct Config {
    /// Lowest first.
    scopes: Vec<Scope>,
    pub spack_root: PathBuf,
    pub user_cache: PathBuf,
}

enum Scope {
    Folder(PathBuf),
    Inline(Value),
}

impl Config {
    pub fn new(spack_root: &Path, variables: &Variables) -> Config {
        let home = variables.get("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from);
        let path = |name: &str, default: PathBuf| variables.get(name).map_or(default, PathBuf::from);
        let etc = spack_root.join("etc/spack");
        let mut scopes = vec![Scope::Folder(etc.join("defaults/base"))];
        let local = !variables.contains_key("SPACK_DISABLE_LOCAL_CONFIG");
        if local {
            scopes.push(Scope::Folder(path("SPACK_SYSTEM_CONFIG_PATH", PathBuf::from("/etc/spack"))));
        }
        scopes.push(Scope::Folder(etc.join("site")));
        if local {
            scopes.push(Scope::Folder(path("SPACK_USER_CONFIG_PATH", home.join(".spack"))));
        }
        scopes.push(Scope::Folder(etc));
        let user_cache = path("SPACK_USER_CACHE_PATH", home.join(".spack"));
        Config { scopes, spack_root: spack_root.to_owned(), user_cache }
    }

    /// A folder of configuration, or a single file with several sections.
    pub fn push(&mut self, path: PathBuf) -> Result<(), Halt> {
        if path.is_dir() {
            self.push_folder(path);
        } else if let Some(value) = read_yaml(&path)? {
            self.push_inline(value);
        }
        Ok(())
    }

    pub fn push_folder(&mut self, path: PathBuf) {
        self.scopes.push(Scope::Folder(path));
    }

    pub fn push_inline(&mut self, value: Value) {
        self.scopes.push(Scope::Inline(value));
    }

    /// `a:b:value` from `-c`.
    pub fn push_assignment(&mut self, text: &str) -> Result<(), Halt> {
        let Some((path, value)) = split_assignment(text) else {
            return Err(Halt::failed(format!("{text} is not of the form section:key:value")));
        };
        let mut value: Value =
            serde_saphyr::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        for key in path.iter().rev() {
            value = Value::Object(Map::from_iter([((*key).to_owned(), value)]));
        }
        self.push_inline(value);
        Ok(())
    }

    /// The merged section, unsubstituted.
    pub fn section(&self, name: &str) -> Result<Value, Halt> {
        let mut merged = Value::Null;
        for scope in &self.scopes {
            let found = match scope {
                Scope::Folder(folder) => read_section(&folder.join(format!("{name}.yaml")), name)?,
                Scope::Inline(value) => take(value, name),
            };
            if let Some((value, replaces)) = found {
                merged = if replaces { strip(value) } else { merge(merged, value) };
            }
        }
        Ok(if merged.is_null() { Value::Object(Map::new()) } else { merged })
    }

    /// A string of the configuration with its `$variables` replaced.
    pub fn path(&self, section: &str, pointer: &str, default: &str) -> Result<PathBuf, Halt> {
        let value = self.section(section)?;
        let found = value.pointer(pointer);
        let text =
            found.and_then(|v| v.as_str().or_else(|| v.as_array()?.first()?.as_str())).unwrap_or(default);
        Ok(PathBuf::from(self.substitute(text)))
    }

    pub fn substitute(&self, text: &str) -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        let user = user.map_or_else(|| "user".to_owned(), |u| u.name);
        let temporary = std::env::temp_dir();
        text.replace("$user_cache_path", &self.user_cache.to_string_lossy())
            .replace("$spack", &self.spack_root.to_string_lossy())
            .replace("$tempdir", &temporary.to_string_lossy())
            .replace("$user", &user)
    }

    /// The externals that can compile, newest first, as sealed nodes.
    pub fn compilers(&self) -> Result<Vec<Node>, Halt> {
        let packages = self.section("packages")?;
        let externals =
            packages.pointer("/gcc/externals").and_then(Value::as_array).cloned().unwrap_or_default();
        externals.iter().map(compiler).collect()
    }
}

fn compiler(external: &Value) -> Result<Node, Halt> {
    let text = external.get("spec").and_then(Value::as_str).unwrap_or_default();
    let spec = query::parse_one(text)?;
    let version = spec.versions.to_string();
    let name = spec.name.clone().unwrap_or_default();
    let mut node = Node::new(&name, version.trim_start_matches('='), FAMILY);
    node.package_hash = Some(package_hash(&name));
    let mut parameters: BTreeMap<String, Value> = [
        ("binutils".to_owned(), Value::Bool(false)),
        ("bootstrap".to_owned(), Value::Bool(true)),
        ("build_system".to_owned(), Value::from("autotools")),
    ]
    .into();
    for (variant, wanted) in &spec.variants {
        let value = match &wanted.value {
            VariantValue::Bool(on) => Value::Bool(*on),
            VariantValue::Text(words) => words.iter().map(String::as_str).collect(),
            VariantValue::Any => continue,
        };
        parameters.insert(variant.clone(), value);
    }
    node.parameters.extend(parameters);
    for flag in FLAGS {
        node.parameters.insert(flag.to_owned(), Value::Array(Vec::new()));
    }
    let attributes = external.get("extra_attributes").cloned().unwrap_or_else(|| Value::Object(Map::new()));
    node.external = Some(serde_json::json!({
        "path": external.get("prefix").cloned().unwrap_or(Value::Null),
        "module": null,
        "extra_attributes": attributes,
    }));
    node.seal();
    Ok(node)
}

fn split_assignment(text: &str) -> Option<(Vec<&str>, &str)> {
    // The value may hold a URL: its "://" does not separate.
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once(':') {
        if tail.starts_with("//") {
            break;
        }
        parts.push(head);
        rest = tail;
    }
    (!parts.is_empty()).then_some((parts, rest))
}

/// A YAML file as plain data.
pub fn read_yaml(path: &Path) -> Result<Option<Value>, Halt> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Halt::internal(format!("{e}: '{}'", path.display()))),
    };
    serde_saphyr::from_str(&text).map(Some).map_err(|e| {
        let reason = e.to_string();
        let first = reason.lines().next().unwrap_or_default();
        Halt::failed(format!("error parsing YAML: near {}: {first}", path.display()))
    })
}

fn read_section(path: &Path, name: &str) -> Result<Option<(Value, bool)>, Halt> {
    let Some(file) = read_yaml(path)? else { return Ok(None) };
    Ok(take(&file, name))
}

/// The section's value, and whether `::` says that it replaces what is beneath.
fn take(file: &Value, name: &str) -> Option<(Value, bool)> {
    let map = file.as_object()?;
    let plain = map.get(name).map(|v| (v.clone(), false));
    plain.or_else(|| map.get(&format!("{name}:")).map(|v| (v.clone(), true))).filter(|(v, _)| !v.is_null())
}

/// Removes the `::` marks within.
fn strip(value: Value) -> Value {
    match value {
        Value::Object(map) => Value::Object(
            map.into_iter().map(|(k, v)| (k.trim_end_matches(':').to_owned(), strip(v))).collect(),
        ),
        other => other,
    }
}

fn merge(low: Value, high: Value) -> Value {
    match (low, high) {
        (Value::Object(low), Value::Object(high)) => {
            // The higher scope's keys come first, which decides the order of mirrors.
            let mut out = Map::new();
            for (key, value) in high {
                let plain = key.trim_end_matches(':').to_owned();
                let value = match low.get(&plain) {
                    Some(beneath) if !key.ends_with(':') => merge(beneath.clone(), value),
                    _ => strip(value),
                };
                out.insert(plain, value);
            }
            for (key, value) in low {
                out.entry(key).or_insert(value);
            }
            Value::Object(out)
        }
        (Value::Array(low), Value::Array(mut high)) => {
            high.extend(low.into_iter().filter(|v| !high.contains(v)).collect::<Vec<_>>());
            Value::Array(high)
        }
        (_, high) => strip(high),
    }
}

/// Plain data as YAML in Spack's style.
pub fn to_yaml(value: &Value, indent: usize) -> String {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if map.is_empty() => "{}\n".to_owned(),
        Value::Array(list) if list.is_empty() => "[]\n".to_owned(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| match value {
                Value::Object(m) if !m.is_empty() => format!("{pad}{key}:\n{}", to_yaml(value, indent + 2)),
                Value::Array(l) if !l.is_empty() => format!("{pad}{key}:\n{}", to_yaml(value, indent)),
                _ => format!("{pad}{key}: {}", to_yaml(value, 0)),
            })
            .collect(),
        Value::Array(list) => list
            .iter()
            .flat_map(|item| [format!("{pad}- "), to_yaml(item, indent + 2).trim_start().to_owned()])
            .collect(),
        Value::String(text) => format!("{}\n", scalar(text)),
        Value::Null => "null\n".to_owned(),
        other => format!("{other}\n"),
    }
}

fn scalar(text: &str) -> String {
    let is_plain = serde_saphyr::from_str::<Value>(text).is_ok_and(|v| v.as_str() == Some(text));
    let safe = !text.contains(": ") && !text.contains(" #") && !text.contains('\n');
    if is_plain && safe { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn merging_follows_spack() {
        let low = json!({"a": {"x": 1, "l": [1, 2]}, "b": 1});
        assert_eq!(
            merge(low.clone(), json!({"a": {"l": [3, 2], "y": 2}})),
            json!({"a": {"l": [3, 2, 1], "y": 2, "x": 1}, "b": 1})
        );
        assert_eq!(merge(low, json!({"a:": {"y": 2}})), json!({"a": {"y": 2}, "b": 1}));
    }

    #[test]
    fn yaml_comes_back_as_it_was() {
        let value = json!({"a": {"s": "x: y", "t": "true", "u": "plain", "l": [{"k": 1, "m": {"n": []}}, "z"]}, "e": {}});
        let again: Value = serde_saphyr::from_str(&to_yaml(&value, 0)).unwrap();
        assert_eq!(again, value);
    }

    #[test]
    fn an_assignment_keeps_a_url_whole() {
        assert_eq!(split_assignment("mirrors:m:file:///x"), Some((vec!["mirrors", "m"], "file:///x")));
        assert_eq!(split_assignment("config:install_tree:root:/x").unwrap().1, "/x");
    }
}

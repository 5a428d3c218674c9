//! Compilers and external packages: what `packages.yaml` and the older `compilers.yaml` name on this machine,
//! with the executables and modules that must exist for them to work.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::Config;
use crate::base::Result;
use crate::spack::text::yaml::{Value, Yaml};

/// A compiler that Spack may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Compiler {
    /// Such as `gcc@12.2.0`.
    pub spec: String,
    /// Executable by language: `c`, `cxx`, `fortran`.
    pub paths: Vec<(String, PathBuf)>,
    /// Where the package is, for externals.
    pub prefix: Option<PathBuf>,
    pub modules: Vec<String>,
    pub operating_system: Option<String>,
    pub target: Option<String>,
    /// The section that it stands in: `compilers` or `packages`.
    pub section: &'static str,
    pub origin: String,
}

/// A package that Spack does not build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct External {
    pub package: String,
    pub spec: String,
    pub prefix: Option<PathBuf>,
    pub modules: Vec<String>,
    /// False when Spack must not build the package at all.
    pub buildable: bool,
    pub origin: String,
}

impl Compiler {
    pub fn languages(&self) -> Vec<&str> {
        self.paths.iter().map(|(language, _)| language.as_str()).collect()
    }
}

impl Config {
    /// Compilers of `packages.yaml` (with `extra_attributes`) and of `compilers.yaml`.
    pub fn compilers(&self) -> Result<Vec<Compiler>> {
        let mut out = Vec::new();
        for (_, package) in self.section("packages")?.entries() {
            for external in package.get("externals").map(Yaml::list).unwrap_or_default() {
                out.extend(external_compiler(external));
            }
        }
        for item in self.section("compilers")?.list() {
            out.extend(item.get("compiler").and_then(old_compiler));
        }
        Ok(out)
    }

    /// All externals of `packages.yaml`.
    pub fn externals(&self) -> Result<Vec<External>> {
        let packages = self.section("packages")?;
        let all = packages.get("all").and_then(|p| p.get("buildable")).and_then(Yaml::bool).unwrap_or(true);
        let mut out = Vec::new();
        for (name, package) in packages.entries() {
            let buildable = package.get("buildable").and_then(Yaml::bool).unwrap_or(all);
            for external in package.get("externals").map(Yaml::list).unwrap_or_default() {
                let Some(spec) = external.get("spec").and_then(Yaml::scalar_text) else {
                    return Err(external.wrong(format!("an external of '{}' has no spec", name.name)));
                };
                out.push(External {
                    package: name.name.clone(),
                    spec,
                    prefix: external.get("prefix").filter(|p| !p.is_null()).map(as_written),
                    modules: external.get("modules").map(Yaml::texts).unwrap_or_default(),
                    buildable,
                    origin: external.mark.to_string(),
                });
            }
        }
        Ok(out)
    }
}

fn external_compiler(external: &Yaml) -> Option<Compiler> {
    let extra = external.get("extra_attributes")?;
    let compilers = extra.get("compilers")?;
    let paths = compilers
        .entries()
        .iter()
        .filter(|(_, path)| path.text().is_some())
        .map(|(language, path)| (language.name.clone(), as_written(path)))
        .collect();
    Some(Compiler {
        spec: external.get("spec")?.scalar_text()?,
        paths,
        prefix: external.get("prefix").filter(|p| !p.is_null()).map(as_written),
        modules: external.get("modules").map(Yaml::texts).unwrap_or_default(),
        operating_system: None,
        target: None,
        section: "packages",
        origin: external.mark.to_string(),
    })
}

fn old_compiler(entry: &Yaml) -> Option<Compiler> {
    let language = |key: &str| match key {
        "cc" => "c",
        "cxx" => "cxx",
        _ => "fortran",
    };
    let mut paths: Vec<(String, PathBuf)> = Vec::new();
    for (key, path) in entry.get("paths").map(Yaml::entries).unwrap_or_default() {
        // `f77` and `fc` are both Fortran; most sites give one executable for the two.
        let found = (language(&key.name).to_owned(), as_written(path));
        if path.text().is_some() && !paths.contains(&found) {
            paths.push(found);
        }
    }
    let text = |key: &str| entry.get(key).and_then(Yaml::scalar_text);
    Some(Compiler {
        spec: text("spec")?,
        paths,
        prefix: None,
        modules: entry.get("modules").map(Yaml::texts).unwrap_or_default(),
        operating_system: text("operating_system"),
        target: text("target"),
        section: "compilers",
        origin: entry.mark.to_string(),
    })
}

/// Paths of compilers and externals are the ones that Spack takes as they stand: it replaces nothing in them.
fn as_written(path: &Yaml) -> PathBuf {
    PathBuf::from(path.scalar_text().unwrap_or_default())
}

/// Versions written as numbers become text, as Spack does when it reads `packages.yaml`.
pub(in crate::spack) fn modernize(packages: &mut Yaml) {
    let Value::Map(entries) = &mut packages.value else { return };
    for (_, package) in entries {
        let Value::Map(fields) = &mut package.value else { continue };
        for (_, field) in fields.iter_mut().filter(|(key, _)| key.name == "version") {
            if let Value::List(items) = &mut field.value {
                for item in items {
                    if let Some(text) = item.scalar_text() {
                        item.value = Value::Text(text);
                    }
                }
            }
        }
    }
}

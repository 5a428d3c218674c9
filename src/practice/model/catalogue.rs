//! The small recorded catalogue: which packages, versions, variants, dependencies and virtuals the practice
//! site knows, and which of them misbehave. It is data; what is done with it is in `solve` and `build`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::base::{Kind, Result, Trouble};

const TEXT: &str = include_str!("catalogue.toml");

/// Languages and the virtuals of the same name that a compiler provides.
pub const LANGUAGES: [&str; 3] = ["c", "cxx", "fortran"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Virtual package to its providers, preferred first.
    pub defaults: BTreeMap<String, Vec<String>>,
    pub packages: BTreeMap<String, Package>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Newest first.
    pub versions: Vec<String>,
    #[serde(default = "generic")]
    pub build_system: String,
    #[serde(default)]
    pub languages: Vec<String>,
    #[serde(default)]
    pub provides: Vec<String>,
    #[serde(default)]
    pub variants: BTreeMap<String, Variant>,
    #[serde(default)]
    pub depends: Vec<Dependency>,
    #[serde(default)]
    pub conflicts: Vec<Conflict>,
    #[serde(default)]
    pub programs: Vec<String>,
    /// Names without `lib` and ending.
    #[serde(default)]
    pub libraries: Vec<String>,
    #[serde(default = "three_phases")]
    pub phases: Vec<String>,
    /// Comes with the machine; never built.
    #[serde(default)]
    pub external: bool,
    #[serde(default)]
    pub fails: Vec<Fails>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Variant {
    Bool(bool),
    Values {
        default: String,
        values: Vec<String>,
        #[serde(default)]
        multi: bool,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    pub spec: String,
    #[serde(default = "build_and_link")]
    pub types: String,
    #[serde(default)]
    pub when: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    pub when: String,
    pub why: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fails {
    pub how: Failure,
    #[serde(default)]
    pub when: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    Build,
    Fetch,
    /// It is built, but its programs end with an error.
    Run,
}

fn generic() -> String {
    "generic".to_owned()
}

fn three_phases() -> Vec<String> {
    ["configure", "build", "install"].map(str::to_owned).to_vec()
}

fn build_and_link() -> String {
    "build link".to_owned()
}

impl Catalogue {
    pub fn load() -> Result<Catalogue> {
        toml::from_str(TEXT)
            .map_err(|e| Trouble::new(Kind::Internal, format!("the practice catalogue is damaged: {e}")))
    }

    pub fn package(&self, name: &str) -> Option<&Package> {
        self.packages.get(name)
    }

    pub fn is_virtual(&self, name: &str) -> bool {
        self.defaults.contains_key(name) || LANGUAGES.contains(&name)
    }

    /// Whether a request may name it.
    pub fn knows(&self, name: &str) -> bool {
        self.packages.contains_key(name) || self.is_virtual(name)
    }

    pub fn providers(&self, virtual_name: &str) -> Vec<&str> {
        if LANGUAGES.contains(&virtual_name) {
            return vec!["gcc"];
        }
        self.defaults
            .get(virtual_name)
            .map(|names| names.iter().map(String::as_str).collect())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_that_is_used_is_defined() {
        let catalogue = Catalogue::load().unwrap();
        for (name, package) in &catalogue.packages {
            assert!(!package.versions.is_empty(), "{name} has versions");
            for virtual_name in &package.provides {
                assert!(catalogue.providers(virtual_name).contains(&name.as_str()), "{name} {virtual_name}");
            }
            for dependency in &package.depends {
                let end = dependency.spec.find(['@', '+', '~', ' ']).unwrap_or(dependency.spec.len());
                assert!(catalogue.knows(&dependency.spec[..end]), "{name} needs {}", dependency.spec);
            }
        }
    }
}

//! What the configuration takes from the environment: the variables that its paths, conditions and mirrors name, and
//! the placeholders in paths that only Spack can tell. Spack is run with the former and with nothing else of a shell.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::Config;
use super::paths::{self, MIRROR_SCHEMES, scheme, variables_in};
use super::scopes::Scope;
use crate::base::Result;
use crate::spack::text::yaml::{Value, Yaml};

/// The settings that Spack takes as paths, or puts into paths. A `*` stands for every name; a list for each of its
/// items. Prefixes and executables of externals are not among them: Spack takes those as they are written.
const PATHS: &[&str] = &[
    "config:install_tree",
    "config:install_tree:root",
    "config:install_tree:projections:*",
    "config:environments_root",
    "config:build_stage",
    "config:source_cache",
    "config:misc_cache",
    "config:test_stage",
    "config:license_dir",
    "config:extensions",
    "config:template_dirs",
    "config:ssl_certs",
    "config:binary_index_root",
    "upstreams:*:install_tree",
    "repos",
    "repos:*",
    "repos:*:destination",
    "mirrors:*",
    "mirrors:*:url",
    "mirrors:*:fetch",
    "mirrors:*:fetch:url",
    "mirrors:*:push",
    "mirrors:*:push:url",
    "modules:*:roots:*",
    "modules:*:*:projections:*",
    "bootstrap:root",
    "concretizer:concretization_cache:url",
    "concretizer:reuse:from:path",
    "view",
    "view:*",
    "view:*:root",
    "view:*:projections:*",
    "develop:*:path",
    "include_concrete",
];

/// Settings that hold the name of a variable with a secret.
const SECRETS: &[&str] = &["id_variable", "secret_variable", "access_token_variable"];

static CONDITION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"\benv(?:\.get\(|\[)\s*["'](\w+)["']|["'](\w+)["']\s+(?:not\s+)?in\s+env\b"#).ok()
});

/// What a configuration names of the environment.
#[derive(Debug, Clone, Default)]
pub struct Named {
    variables: BTreeSet<String>,
    secrets: BTreeSet<String>,
    /// The values that name a variable which is not set, with its name.
    unset: Vec<(Yaml, String)>,
}

impl Named {
    /// Variables that Spack has to see.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().chain(&self.secrets).map(String::as_str)
    }

    /// Those that paths and conditions are written with.
    pub fn of_paths(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    pub fn is_secret(&self, name: &str) -> bool {
        self.secrets.contains(name)
    }

    /// Each path that depends on a variable which is not set, as the error that it is.
    pub fn unset(&self) -> impl Iterator<Item = crate::base::Trouble> {
        self.unset.iter().map(|(value, name)| {
            let text = value.scalar_text().unwrap_or_default();
            paths::unset(value, name, &text)
        })
    }

    /// Refuses a configuration with a path that depends on a variable which is not set.
    pub fn all_set(&self) -> Result<()> {
        self.unset().next().map_or(Ok(()), Err)
    }
}

impl Config {
    /// Finds what the merged sections name, and what the scopes include.
    pub(super) fn name_variables(&mut self, scopes: &[Scope]) {
        let mut named = Named::default();
        let mut placeholders = BTreeSet::new();
        // Not every release has these as sections.
        let parts = scopes.iter().flat_map(|s| s.parts.iter());
        for (name, part) in parts.filter(|(name, _)| matches!(name.as_str(), "include" | "include_concrete"))
        {
            let Ok((_, list)) = part else { continue };
            if name == "include" {
                list.list().iter().for_each(|entry| include(entry, &mut named));
            } else {
                self.at(list, &[], name, &mut named, &mut placeholders);
            }
        }
        for path in PATHS {
            let mut parts: Vec<&str> = path.split(':').collect();
            let Some(Ok(section)) = self.sections.get(parts.remove(0)) else { continue };
            self.at(section, &parts, path, &mut named, &mut placeholders);
        }
        if let Some(Ok(definitions)) = self.sections.get("definitions") {
            definitions.list().iter().for_each(|entry| conditions(entry, &mut named));
        }
        if let Some(Ok(mirrors)) = self.sections.get("mirrors") {
            secrets(mirrors, &mut named);
        }
        self.named = named;
        self.not_understood.extend(placeholders);
    }

    /// Follows the rest of a path to its texts.
    fn at(
        &self,
        value: &Yaml,
        rest: &[&str],
        path: &str,
        named: &mut Named,
        placeholders: &mut BTreeSet<String>,
    ) {
        match (&value.value, rest) {
            (Value::List(items), _) => {
                for item in items {
                    self.at(item, rest, path, named, placeholders);
                }
            }
            (Value::Map(entries), [first, rest @ ..]) => {
                for (_, value) in entries.iter().filter(|(key, _)| *first == "*" || key.name == *first) {
                    self.at(value, rest, path, named, placeholders);
                }
            }
            (Value::Text(text), []) => self.text(value, text, path, named, placeholders),
            _ => {}
        }
    }

    fn text(
        &self,
        value: &Yaml,
        text: &str,
        path: &str,
        named: &mut Named,
        placeholders: &mut BTreeSet<String>,
    ) {
        // A URL of a mirror is taken as it is written.
        if path.starts_with("mirrors:") && scheme(text).is_some_and(|scheme| MIRROR_SCHEMES.contains(&scheme))
        {
            return;
        }
        named.variables.extend(variables_in(text));
        let resolved = self.sub.substitute(text);
        named.unset.extend(resolved.unset.into_iter().map(|name| (value.clone(), name)));
        placeholders.extend(resolved.unknown.iter().map(|name| format!("{}: {name} in {path}", value.mark)));
    }
}

/// What an entry of `include` names. An optional one is passed over where it is not there, as by Spack.
fn include(entry: &Yaml, named: &mut Named) {
    conditions(entry, named);
    named.variables.extend(entry.get("path_override_env_var").and_then(Yaml::scalar_text));
    let path = entry.get("path").unwrap_or(entry);
    named.variables.extend(path.text().into_iter().flat_map(variables_in));
}

fn conditions(entry: &Yaml, named: &mut Named) {
    let Some(condition) = entry.get("when").and_then(Yaml::scalar_text) else { return };
    let Some(re) = CONDITION.as_ref() else { return };
    let found = re.captures_iter(&condition).filter_map(|c| c.get(1).or_else(|| c.get(2)));
    named.variables.extend(found.map(|name| name.as_str().to_owned()));
}

fn secrets(value: &Yaml, named: &mut Named) {
    for (key, value) in value.entries() {
        if SECRETS.contains(&key.name.as_str()) {
            named.secrets.extend(value.scalar_text());
        } else {
            secrets(value, named);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::Kind;
    use crate::spack::config::ConfigInputs;
    use crate::spack::config::locate::{FoundBy, Installation};
    use crate::spack::config::release::Release;
    use crate::world::fs::eyes::LiveEyes;

    /// The configuration of a site with that file in its folder of configuration.
    fn config(root: &Path, files: &[(&str, &str)], vars: &[(&str, &str)]) -> Result<Config> {
        let etc = root.join("etc/spack");
        std::fs::create_dir_all(&etc).unwrap();
        for (name, text) in files {
            std::fs::write(etc.join(name), text).unwrap();
        }
        let installation = Installation {
            root: root.to_owned(),
            spack_exe: root.join("bin/spack"),
            release: Release::parse("1.0.2").unwrap(),
            version_text: String::from("1.0.2"),
            commit: None,
            python: None,
            found_by: FoundBy::Option,
        };
        let vars = vars.iter().chain(&[("SPACK_DISABLE_LOCAL_CONFIG", "1")]);
        let inputs = ConfigInputs {
            vars: vars.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ..ConfigInputs::default()
        };
        Config::load(&LiveEyes, &installation, &inputs)
    }

    #[test]
    fn every_path_counts_and_what_spack_takes_as_written_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            (
                "config.yaml",
                "config:\n  build_stage: [$A1/s, ~/s]\n  misc_cache: ${A2}/m\n  install_tree: {root: $spack/$a3}\n  ccache: $NO\n",
            ),
            ("upstreams.yaml", "upstreams: {u: {install_tree: $A4/x}}\n"),
            (
                "mirrors.yaml",
                "mirrors:\n  a: $A5/m\n  b: file:///$NO\n  c: {url: 's3://b', access_pair: {id_variable: ID, secret_variable: KEY}}\n",
            ),
            (
                "modules.yaml",
                "modules: {default: {roots: {tcl: $A6/m}, tcl: {all: {environment: {set: {X: $NO}}}}}}\n",
            ),
            ("packages.yaml", "packages: {x: {externals: [{spec: x@1, prefix: $NO/x}]}}\n"),
            ("repos.yaml", "repos: {r: $A7/repo}\n"),
            (
                "include.yaml",
                "include:\n- {path: $A8/x, optional: true}\n- {path: /nowhere, optional: true, when: 'env.get(\"W1\") == \"x\" or \"W2\" in env'}\n",
            ),
        ];
        let read = config(dir.path(), &files, &[]).unwrap();
        let names: Vec<&str> = read.named.of_paths().collect();
        assert_eq!(names, ["A1", "A2", "A4", "A5", "A6", "A7", "A8", "W1", "W2", "a3"]);
        let all: Vec<&str> = read.named.variables().collect();
        assert!(all.contains(&"ID") && read.named.is_secret("KEY") && !read.named.is_secret("A1"));
        // What may be missing is not needed.
        let unset: Vec<String> = read.named.unset().map(|t| t.facts()["variable"].to_string()).collect();
        assert_eq!(unset.len(), 7, "{unset:?}");
        let externals = read.externals().unwrap();
        assert_eq!(externals[0].prefix.as_deref(), Some(Path::new("$NO/x")));
    }

    #[test]
    fn what_depends_on_an_unset_variable_is_refused_at_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let text =
            "config:\n  install_tree:\n    root: $PROJECT/store\n  environments_root: ${PROJECT}/envs\n";
        let files = [("config.yaml", text)];
        let read = config(dir.path(), &files, &[]).unwrap();
        for trouble in [read.install_tree().unwrap_err(), read.environments_root().unwrap_err()] {
            assert_eq!(trouble.kind(), Kind::Configuration);
            assert!(trouble.message().contains("'PROJECT' is not set"), "{trouble}");
        }
        assert!(read.named.all_set().unwrap_err().message().contains("config.yaml:3"));
        assert!(read.source_cache().is_ok());
        let read = config(dir.path(), &files, &[("PROJECT", "/proj")]).unwrap();
        assert_eq!(read.install_tree().unwrap().root, Path::new("/proj/store"));
        assert!(read.named.all_set().is_ok());
        let include = [("include.yaml", "include: [$NOT_SET/x]\n")];
        assert!(config(dir.path(), &include, &[]).unwrap_err().message().contains("'NOT_SET' is not set"));
    }
}

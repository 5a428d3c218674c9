//! Configuration for one solve that keeps an environment as it is where nothing else was asked: what it has locked is
//! reused first, and what must be built anew is preferred with the versions, variants, compilers and providers that it
//! has. Preferences give way where they cannot be met, so they never make a solve impossible.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::asks::{Asks, is_bare};
use super::requirements::{of_all, requirement};
use crate::base::Result;
use crate::site::Cx;
use crate::spack::change::around::requests;
use crate::spack::config::Config;
use crate::spack::drive::session::Scope;
use crate::spack::lock::contents::LockContents;
use crate::spack::spec::Spec;
use crate::spack::spec::print::quoted;
use crate::spack::store::row::{SpecRow, VariantRow};
use crate::spack::text::yaml::Yaml;

/// Virtual packages that compilers and the C library provide: what provides them is no choice of the environment.
const LANGUAGES: [&str; 4] = ["c", "cxx", "fortran", "libc"];

/// The concrete specs of a lock.
type ByName<'l> = BTreeMap<&'l str, Vec<&'l SpecRow>>;

/// What stays, and what it is for.
pub struct Guidance<'a> {
    pub scope: &'a Scope,
    pub lock: &'a LockContents,
    pub lock_text: &'a str,
    pub asks: &'a Asks,
    /// Hashes that cannot stay as they are.
    pub touched: &'a BTreeSet<String>,
    pub fresh: Option<bool>,
    /// What needs the asked packages is to use the new ones.
    pub dependents: bool,
    pub manifest: &'a str,
}

impl Guidance<'_> {
    /// Writes it into a folder; the one to give to Spack with `-C` is the outcome.
    pub async fn written(&self, cx: &Cx, folder: &Path) -> Result<PathBuf> {
        let (scope, before) = (folder.join("scope"), folder.join("before"));
        let mut files = vec![(scope.join("packages.yaml"), self.packages()?)];
        if self.scope.config.release.abilities().reuse_of_environments {
            files.push((scope.join("concretizer.yaml"), self.reuse(&before)?));
            files.push((before.join("spack.yaml"), "spack:\n  specs: []\n  view: false\n".to_owned()));
            files.push((before.join("spack.lock"), self.lock_text.to_owned()));
        }
        requests::write(cx, files).await?;
        Ok(scope)
    }

    /// `packages.yaml`, in the part of YAML that is JSON.
    fn packages(&self) -> Result<String> {
        let mut by_name = ByName::new();
        for row in self.lock.specs.values() {
            by_name.entry(&row.name).or_default().push(row);
        }
        let mut packages = Map::new();
        for (&name, rows) in &by_name {
            let mut list = self.preferences(rows, &by_name);
            if list.is_empty() {
                continue;
            }
            let own = self.scope.config.get(&format!("packages:{name}:prefer"))?;
            // A preference of its own takes a package out of what `packages:all` prefers.
            if let Some(row) = rows.first().filter(|_| own.is_none()) {
                list.extend(of_all(&self.scope.config, "prefer", row, self.scope.spack.dialect())?);
            }
            packages.insert(name.to_owned(), json!({ "prefer": list }));
        }
        for (name, spec) in self.asks.specs.iter().filter(|(_, spec)| self.dependents && !is_bare(spec)) {
            // Solved by itself, a root would go on with what it has; a requirement of the manifest is there already.
            let row = self.lock.specs.values().find(|row| row.name == *name);
            if let Some(row) = row.filter(|_| !self.asks.requirements.contains_key(name)) {
                let (config, dialect) = (&self.scope.config, self.scope.spack.dialect());
                let required = requirement(spec, row, self.manifest, config, dialect)?;
                let entry = packages.entry(name.clone()).or_insert_with(|| json!({}));
                entry["require"] = required.into();
            }
        }
        for (name, provider) in self.providers() {
            packages.insert(name.to_owned(), json!({ "prefer": [provider] }));
        }
        Ok(json!({ "packages": packages }).to_string())
    }

    /// What all of one name have in common, unless something else is asked for.
    fn preferences(&self, rows: &[&SpecRow], by_name: &ByName<'_>) -> Vec<Value> {
        let [first, others @ ..] = rows else { return Vec::new() };
        if rows.iter().any(|row| row.external.is_some()) {
            return Vec::new();
        }
        let asked = self.asks.specs.get(&first.name);
        let mut list = Vec::new();
        if asked.is_none_or(|spec| spec.versions.is_any() && !is_bare(spec))
            && others.iter().all(|row| row.version == first.version)
        {
            list.push(format!("@={}", first.version));
        }
        let mut variants: Vec<String> = Vec::new();
        for (name, value) in &first.variants {
            let same = |row: &&&SpecRow| row.variants.iter().any(|(n, v)| n == name && v == value);
            let is_asked = asked.is_some_and(|spec| spec.variants.contains_key(name));
            if !is_asked && name != "patches" && others.iter().filter(same).count() == others.len() {
                variants.push(variant(name, value));
            }
        }
        // Of what is built anew one may have to change while the others stay.
        if rows.iter().any(|row| self.touched.contains(&row.hash)) {
            list.extend(variants);
        } else if !variants.is_empty() {
            list.push(variants.join(" "));
        }
        if asked.is_none_or(|spec| spec.compiler.is_none() && !spec.dependencies.iter().any(|e| e.direct)) {
            list.extend(self.compilers(rows));
        }
        list.extend(self.below(rows, by_name));
        let target = first.arch.target.as_ref().filter(|target| {
            asked.is_none_or(|spec| spec.target.is_none())
                && others.iter().all(|row| row.arch.target.as_ref() == Some(target))
        });
        list.extend(target.map(|target| format!("target={target}")));
        list.into_iter().map(Value::from).collect()
    }

    /// Of several packages of one name below it: the version and the variants of the one that it has.
    fn below(&self, rows: &[&SpecRow], by_name: &ByName<'_>) -> Vec<String> {
        let [first, others @ ..] = rows else { return Vec::new() };
        let mut out = Vec::new();
        for edge in first.dependencies.iter().filter(|edge| self.touched.contains(&edge.hash)) {
            let same = others.iter().all(|row| row.dependencies.iter().any(|other| other.hash == edge.hash));
            let all = by_name.get(edge.name.as_str()).map_or(&[][..], Vec::as_slice);
            let is_asked = self.asks.specs.contains_key(&edge.name);
            let Some(own) = self.lock.specs.get(&edge.hash).filter(|_| same && !is_asked && all.len() > 1)
            else {
                continue;
            };
            let mut text = format!("^{}", own.name);
            if all.iter().any(|row| row.version != own.version) {
                text.push_str(&format!("@={}", own.version));
            }
            for (name, value) in own.variants.iter().filter(|(name, _)| name.as_str() != "patches") {
                let other = |row: &&&SpecRow| !row.variants.iter().any(|(n, v)| n == name && v == value);
                if all.iter().any(|row| other(&row)) {
                    text.push_str(&format!(" {}", variant(name, value)));
                }
            }
            if text.contains(['@', ' ']) {
                out.push(text);
            }
        }
        out
    }

    fn compilers(&self, rows: &[&SpecRow]) -> Vec<String> {
        let [first, others @ ..] = rows else { return Vec::new() };
        if !self.scope.config.release.abilities().compilers_are_nodes {
            let same = others.iter().all(|row| row.compiler == first.compiler);
            return first.compiler.iter().filter(|_| same).map(|compiler| format!("%{compiler}")).collect();
        }
        let all = first.languages.iter();
        let same = all.filter(|language| others.iter().all(|row| row.languages.contains(language)));
        same.map(|(language, compiler)| format!("%[virtuals={language}] {compiler}")).collect()
    }

    /// Virtual packages that one package alone provides.
    fn providers(&self) -> BTreeMap<&str, &str> {
        let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for dependency in self.lock.specs.values().flat_map(|row| &row.dependencies) {
            for name in dependency.virtuals.iter().filter(|name| !LANGUAGES.contains(&name.as_str())) {
                found.entry(name).or_default().insert(&dependency.name);
            }
        }
        let wants =
            |name: &str, spec: &Spec| spec.nodes().iter().any(|node| node.name.as_deref() == Some(name));
        found
            .into_iter()
            .filter(|(name, _)| !self.asks.specs.values().any(|spec| wants(name, spec)))
            .filter_map(|(name, providers)| match providers.into_iter().collect::<Vec<_>>()[..] {
                [one] => Some((name, one)),
                _ => None,
            })
            .collect()
    }

    /// What may not be reused: of a package that is asked for by its name alone the newest is wanted, and Spack would
    /// rather reuse an old one, by itself or below what needs it.
    fn outdated(&self) -> BTreeSet<&str> {
        let touched = self.lock.specs.values().filter(|row| self.touched.contains(&row.hash));
        let wanted = self.asks.specs.values().any(is_bare);
        touched.filter(|_| wanted).map(|row| row.name.as_str()).collect()
    }

    /// `concretizer.yaml`: the environment's own specs, and what is configured for all others.
    fn reuse(&self, before: &Path) -> Result<String> {
        let outdated = self.outdated();
        let own = json!({ "type": "environment", "path": before, "include": [], "exclude": &outdated });
        let mut from = vec![own];
        let is_free = |row: &&SpecRow| !self.touched.contains(&row.hash);
        let kept: BTreeSet<&str> =
            self.lock.specs.values().filter(is_free).map(|row| row.name.as_str()).collect();
        for mut source in configured(&self.scope.config, self.fresh)? {
            let mut exclude: Vec<Value> =
                source.get("exclude").and_then(Value::as_array).cloned().unwrap_or_default();
            // Of these the environment has its own.
            exclude.extend(kept.union(&outdated).map(|name| Value::from(*name)));
            source.insert("exclude".to_owned(), exclude.into());
            from.push(source.into());
        }
        // The key says with its second colon that it replaces what is configured.
        Ok(format!("concretizer:\n  reuse::\n    roots: true\n    from: {}\n", Value::Array(from)))
    }
}

/// Where Spack is configured to reuse from.
fn configured(config: &Config, fresh: Option<bool>) -> Result<Vec<Map<String, Value>>> {
    let usual =
        || ["local", "buildcache"].map(|kind| Map::from_iter([("type".to_owned(), Value::from(kind))]));
    let value = config.get("concretizer:reuse")?.map(Yaml::to_json);
    let map = match (fresh, value) {
        (Some(true), _) | (None, Some(Value::Bool(false))) => return Ok(Vec::new()),
        (_, Some(Value::Object(map))) => map,
        _ => return Ok(usual().into()),
    };
    let listed = map.get("from").and_then(Value::as_array).cloned();
    let sources: Vec<Map<String, Value>> = match listed {
        Some(list) => list.into_iter().filter_map(|source| source.as_object().cloned()).collect(),
        None => usual().into(),
    };
    let with_defaults = |mut source: Map<String, Value>| {
        for key in ["include", "exclude"] {
            if let Some(value) = map.get(key).filter(|_| !source.contains_key(key)) {
                source.insert(key.to_owned(), value.clone());
            }
        }
        source
    };
    Ok(sources.into_iter().map(with_defaults).collect())
}

fn variant(name: &str, value: &VariantRow<String>) -> String {
    match value {
        VariantRow::Flag(true) => format!("+{name}"),
        VariantRow::Flag(false) => format!("~{name}"),
        VariantRow::One(text) => format!("{name}={}", quoted(text)),
        VariantRow::Many(list) => format!("{name}={}", quoted(&list.join(","))),
    }
}

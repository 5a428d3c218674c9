//! What an environment's lock file says, owned: roots as they were asked for, and every concrete spec.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::lockfile::{Lockfile, LockfileText};
use crate::base::Result;
use crate::spack::environment::EnvironmentInfo;
use crate::spack::store::row::{SpecRow, languages};
use crate::world::Eyes;

/// A lock file.
#[derive(Debug, Clone, Default)]
pub struct LockContents {
    pub version: u64,
    /// The Spack that wrote it.
    pub spack: Option<String>,
    /// Of the environment itself.
    pub roots: Vec<RootRow>,
    /// Of the environments that it includes.
    pub included: Vec<RootRow>,
    pub specs: BTreeMap<String, SpecRow>,
}

impl LockContents {
    pub fn read(eyes: &dyn Eyes, path: &Path) -> Result<LockContents> {
        let text = LockfileText::read(eyes, path)?;
        LockContents::of(&text.parse()?)
    }

    /// The lock of an environment; none if it was never concretized.
    pub fn of_environment(eyes: &dyn Eyes, environment: &EnvironmentInfo) -> Result<Option<LockContents>> {
        let text = LockfileText::of_environment(eyes, environment)?;
        text.map(|text| LockContents::of(&text.parse()?)).transpose()
    }

    pub fn of(lock: &Lockfile<'_>) -> Result<LockContents> {
        let mut versions = BTreeMap::new();
        let all = lock.all_specs();
        for locked in &all {
            versions.insert(locked.hash.to_string(), lock.node(locked)?.version.to_string());
        }
        let mut specs = BTreeMap::new();
        for locked in &all {
            let node = lock.node(locked)?;
            let languages = languages(node, &|hash| versions.get(hash).cloned());
            let hash = locked.hash.to_string();
            specs.insert(hash.clone(), SpecRow::of_node(node, &hash, languages));
        }
        let own: Vec<RootRow> = lock.roots().iter().map(row).collect();
        let included = lock.all_roots().into_iter().map(row).filter(|root| !own.contains(root)).collect();
        let spack = lock.spack.as_ref().map(ToString::to_string);
        Ok(LockContents { version: lock.version, spack, roots: own, included, specs })
    }

    /// The roots with those of included environments.
    pub fn all_roots(&self) -> impl Iterator<Item = &RootRow> {
        self.roots.iter().chain(&self.included)
    }

    /// The hashes of all roots.
    pub fn root_hashes(&self) -> BTreeSet<String> {
        self.all_roots().map(|root| root.hash.clone()).collect()
    }
}

fn row(root: &super::lockfile::Root<'_>) -> RootRow {
    RootRow { spec: root.spec.to_string(), hash: root.hash.to_string() }
}

/// A root of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RootRow {
    /// As the manifest words it.
    pub spec: String,
    /// What it was concretized to.
    pub hash: String,
}

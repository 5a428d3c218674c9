//! How long packages took and how much room they need, from what Spack wrote into the prefixes of those that are
//! installed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::spack::drive::installed::{Held, Store};
use crate::spack::store::row::SpecRow;
use crate::world::Eyes;

/// Of one package no more prefixes than these are looked into.
const MOST: usize = 5;

#[derive(Deserialize)]
struct Times {
    total: f64,
    #[serde(default)]
    cache: bool,
}

#[derive(Deserialize)]
struct InstalledFile {
    #[serde(default)]
    size: u64,
}

#[derive(Debug, Default)]
struct Past {
    built: Vec<f64>,
    unpacked: Vec<f64>,
    disk: Option<u64>,
}

/// What is known of packages by name.
#[derive(Debug, Default)]
pub struct History(BTreeMap<String, Past>);

impl History {
    pub fn read<'a>(eyes: &dyn Eyes, store: &Store, of: impl Iterator<Item = &'a SpecRow>) -> History {
        let names: BTreeSet<&str> =
            of.filter(|row| row.external.is_none()).map(|row| row.name.as_str()).collect();
        let mut prefixes: BTreeMap<&str, Vec<&Held>> = BTreeMap::new();
        for held in store.values().filter(|held| held.installed && names.contains(held.name.as_str())) {
            prefixes.entry(held.name.as_str()).or_default().push(held);
        }
        let past = prefixes.into_iter().map(|(name, mut all)| {
            let at = |held: &Held| held.installed_at.unwrap_or_default();
            all.sort_by(|a, b| at(b).total_cmp(&at(a)));
            let mut past = Past::default();
            for prefix in all.into_iter().take(MOST).filter_map(|held| held.prefix.as_deref()) {
                past.look(eyes, &Path::new(prefix).join(".spack"));
            }
            (name.to_owned(), past)
        });
        History(past.collect())
    }

    /// Least, median and most, of builds or of unpacking.
    pub fn seconds(&self, name: &str, from_mirror: bool) -> Option<[f64; 3]> {
        let past = self.0.get(name)?;
        let mut times = if from_mirror { past.unpacked.clone() } else { past.built.clone() };
        times.sort_by(f64::total_cmp);
        Some([*times.first()?, *times.get(times.len() / 2)?, *times.last()?])
    }

    pub fn disk(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.disk
    }
}

impl Past {
    fn look(&mut self, eyes: &dyn Eyes, folder: &Path) {
        let text = |name: &str| eyes.read(&folder.join(name)).ok();
        if let Some(times) = text("install_times.json").and_then(|t| serde_json::from_slice::<Times>(&t).ok())
        {
            if times.cache { &mut self.unpacked } else { &mut self.built }.push(times.total);
        }
        if self.disk.is_none()
            && let Some(bytes) = text("install_manifest.json")
            && let Ok(entries) = serde_json::from_slice::<BTreeMap<String, InstalledFile>>(&bytes)
        {
            self.disk = Some(entries.values().map(|e| e.size).sum());
        }
    }
}

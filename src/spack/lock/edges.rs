//! What has to be there besides each spec: what it depends on; and the old locks in which everything is known by another
//! hash.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::lockfile::{Group, Locked, Lockfile};
use crate::base::Result;
use crate::spack::store::node::Text;
use crate::spack::text::corrupt::{corrupt, offset_in};

impl<'a> Lockfile<'a> {
    /// Every dependency is in the lock itself.
    pub(super) fn check_edges(&self) -> Result<()> {
        let known = self.by_hash();
        for locked in known.values() {
            let node = self.node(locked)?;
            if let Some(edge) = node.dependencies.iter().find(|edge| !known.contains_key(&*edge.hash)) {
                let (name, hash) = (&edge.name, &edge.hash);
                return Err(corrupt(
                    self.path,
                    offset_in(self.text, locked.raw),
                    format!("'{}' depends on {name} of hash {hash}, which is not in the lock", node.name),
                ));
            }
        }
        Ok(())
    }

    /// With the DAG hash of each spec in the place of its key. Where several keys stand for one DAG hash, the first
    /// counts, as with Spack.
    pub(super) fn by_dag_hash(self) -> Result<Lockfile<'a>> {
        let mut names = HashMap::new();
        for locked in self.all_specs() {
            let hash = self.node(locked)?.hash.clone().unwrap_or_else(|| locked.hash.clone());
            names.insert(locked.hash.clone(), hash);
        }
        let Lockfile { group, .. } = self;
        Ok(Lockfile { group: renamed(group, &names), ..self })
    }
}

fn renamed<'a>(mut group: Group<'a>, names: &HashMap<Text<'a>, Text<'a>>) -> Group<'a> {
    let name = |hash: &mut Text<'a>| {
        if let Some(found) = names.get(hash) {
            *hash = found.clone();
        }
    };
    group.roots.iter_mut().for_each(|root| name(&mut root.hash));
    let mut seen = HashSet::new();
    let mut specs = Vec::new();
    for mut locked in std::mem::take(&mut group.specs) {
        name(&mut locked.hash);
        if !seen.insert(locked.hash.clone()) {
            continue;
        }
        let node = locked.node.take().map(|mut node| {
            node.dependencies.iter_mut().for_each(|edge| name(&mut edge.hash));
            node.build_spec.iter_mut().for_each(&name);
            node
        });
        specs.push(Locked { node: node.map_or_else(OnceLock::new, OnceLock::from), ..locked });
    }
    group.specs = specs;
    group.included = group.included.into_iter().map(|(path, inner)| (path, renamed(inner, names))).collect();
    group
}

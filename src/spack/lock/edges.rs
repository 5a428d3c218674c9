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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::base::Kind;
    use crate::spack::lock::lockfile::LockfileText;

    fn node(name: &str, hash: &str, edges: &[(&str, &str)], by: &str) -> serde_json::Value {
        let edge =
            |(name, hash): &(&str, &str)| serde_json::json!({"name": name, by: hash, "type": ["build"]});
        serde_json::json!({
            "name": name, "version": "1", "hash": hash,
            "dependencies": edges.iter().map(edge).collect::<Vec<_>>(),
        })
    }

    fn lock(version: u64, specs: &serde_json::Value, roots: &serde_json::Value) -> LockfileText {
        let whole = serde_json::json!({
            "_meta": {"file-type": "spack-lockfile", "lockfile-version": version},
            "roots": roots, "concrete_specs": specs,
        });
        LockfileText::from_bytes(Path::new("spack.lock"), whole.to_string().into_bytes()).unwrap()
    }

    #[test]
    fn old_locks_are_known_by_the_hash_in_each_node() {
        let specs = serde_json::json!({
            "b1": node("top", "dagtop", &[("tool", "b3")], "build_hash"),
            "b2": node("top", "dagtop", &[("tool", "b4")], "build_hash"),
            "b3": node("tool", "dagtool", &[], "build_hash"),
            "b4": node("tool", "dagother", &[], "build_hash"),
        });
        let roots = serde_json::json!([{"hash": "b1", "spec": "top"}, {"hash": "b2", "spec": "top +x"}]);
        let text = lock(3, &specs, &roots);
        let lock = text.parse().unwrap();
        let hashes: Vec<&str> = lock.all_specs().iter().map(|locked| &*locked.hash).collect();
        assert_eq!(hashes, ["dagtop", "dagtool", "dagother"]);
        assert!(lock.roots().iter().all(|root| &*root.hash == "dagtop"));
        let top = lock.node(lock.group.get("dagtop").unwrap()).unwrap();
        assert_eq!(&*top.dependencies[0].hash, "dagtool");
    }

    #[test]
    fn a_lock_that_lacks_a_dependency_is_refused() {
        let specs = serde_json::json!({"aa": node("top", "aa", &[("lost", "bb")], "hash")});
        let text = lock(6, &specs, &serde_json::json!([{"hash": "aa", "spec": "top"}]));
        let trouble = text.parse().unwrap_err();
        assert_eq!(trouble.kind(), Kind::Corrupt);
        assert!(trouble.message().contains("lost") && trouble.message().contains("bb"), "{trouble}");
    }
}

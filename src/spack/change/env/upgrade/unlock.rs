//! Which roots are solved anew, and the lock without them. A root that stays locked keeps every hash below it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::base::{Kind, Result, Trouble};
use crate::spack::lock::contents::LockContents;

/// The hashes of what needs one of these packages, in whatever way, and of those themselves.
pub fn dependents(lock: &LockContents, names: &BTreeSet<&str>) -> BTreeSet<String> {
    let mut above: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for row in lock.specs.values() {
        for dependency in &row.dependencies {
            above.entry(&dependency.hash).or_default().push(&row.hash);
        }
    }
    let mut found = BTreeSet::new();
    let named = lock.specs.values().filter(|row| names.contains(row.name.as_str()));
    let mut queue: Vec<&str> = named.map(|row| row.hash.as_str()).collect();
    while let Some(hash) = queue.pop() {
        if found.insert(hash.to_owned()) {
            queue.extend(above.get(hash).into_iter().flatten());
        }
    }
    found
}

/// The text of a lock without the roots that `keep` does not want. Concrete specs stay, since others may need them.
pub fn without_roots(text: &str, keep: impl Fn(&str, &str) -> bool) -> Result<String> {
    let wrong = |what: String| Trouble::new(Kind::Corrupt, format!("the lock cannot be rewritten: {what}"));
    let mut lock: Value = serde_json::from_str(text).map_err(|e| wrong(e.to_string()))?;
    let roots = lock.get_mut("roots").and_then(Value::as_array_mut);
    let roots = roots.ok_or_else(|| wrong("it has no roots".to_owned()))?;
    roots.retain(|root| {
        let field = |name: &str| root.get(name).and_then(Value::as_str).unwrap_or_default();
        keep(field("spec"), field("hash"))
    });
    serde_json::to_string(&lock).map_err(|e| wrong(e.to_string()))
}

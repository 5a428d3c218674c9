//! What holds of every comparison, over small random locks whose hashes cover what is below, as Spack's do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::of_texts;
use super::rows::LockDiff;
use crate::base::digest;
use crate::spack::lock::lockfile::LockfileText;
use crate::world::Eyes as _;
use crate::world::fs::eyes::LiveEyes;

/// A node: name, version, a variant, and which of the nodes after it it needs, and how.
type Plan = (usize, usize, bool, Vec<(usize, usize)>);

fn plan() -> impl Strategy<Value = Plan> {
    (0..4_usize, 0..3_usize, any::<bool>(), prop::collection::vec((0..9_usize, 0..4_usize), 0..4))
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec(plan(), 1..9)
}

const NAMES: [&str; 4] = ["app", "lib", "openmpi", "mpich"];
const TYPES: [&[&str]; 4] = [&["build"], &["link"], &["build", "run"], &["build", "link"]];

struct Lock {
    text: LockfileText,
    hashes: BTreeSet<String>,
    /// Found the plain way: roots, and what they link to or run.
    runtime: BTreeSet<String>,
}

fn lock(plans: &[Plan], roots: usize) -> Lock {
    let mut specs = Map::new();
    let mut hashes: Vec<String> = vec![String::new(); plans.len()];
    let mut below: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (at, (name, version, variant, edges)) in plans.iter().enumerate().rev() {
        let mut dependencies = Vec::new();
        let mut runs = Vec::new();
        for (step, types) in edges {
            let Some(hash) = hashes.get(at + 1 + step) else { continue };
            let node = &specs[hash];
            let virtuals: &[&str] =
                if node["name"].as_str().unwrap().contains("mpi") { &["mpi"] } else { &[] };
            if dependencies.iter().any(|edge: &Value| edge["hash"] == *hash) {
                continue;
            }
            if TYPES[*types] != ["build"] {
                runs.push(hash.clone());
            }
            dependencies.push(json!({ "name": node["name"], "hash": hash,
                "parameters": { "deptypes": TYPES[*types], "virtuals": virtuals } }));
        }
        let mut node = json!({ "name": NAMES[*name], "version": format!("1.{version}"),
            "parameters": { "on": variant }, "dependencies": dependencies });
        let hash = digest::bytes(node.to_string().as_bytes())[..32].to_owned();
        node["hash"] = hash.clone().into();
        node["annotations"] = json!({ "original_specfile_version": 5 });
        specs.insert(hash.clone(), node);
        below.insert(hash.clone(), runs);
        hashes[at] = hash;
    }
    let roots: Vec<&String> = hashes.iter().take(roots).collect();
    let mut runtime: BTreeSet<String> = roots.iter().map(|hash| (*hash).clone()).collect();
    loop {
        let more: Vec<String> = runtime.iter().flat_map(|hash| below[hash].clone()).collect();
        let known = runtime.len();
        runtime.extend(more);
        if runtime.len() == known {
            break;
        }
    }
    let asked: Vec<Value> =
        roots.iter().map(|hash| json!({ "hash": hash, "spec": specs[hash.as_str()]["name"] })).collect();
    let whole = json!({
        "_meta": { "file-type": "spack-lockfile", "lockfile-version": 6, "specfile-version": 5 },
        "roots": asked, "concrete_specs": specs,
    });
    let text = LockfileText::from_bytes(Path::new("spack.lock"), whole.to_string().into_bytes()).unwrap();
    Lock { text, hashes: hashes.into_iter().collect(), runtime }
}

/// What a comparison the other way round should say; what is told of the later side only is left out.
fn mirrored(value: &Value) -> Value {
    let other = |word: &str| match word {
        "from" => String::from("to"),
        "to" => String::from("from"),
        "from_hash" => String::from("to_hash"),
        "to_hash" => String::from("from_hash"),
        "added" => String::from("removed"),
        "removed" => String::from("added"),
        _ => word.to_owned(),
    };
    match value {
        Value::Object(map) => {
            let told =
                map.iter().filter(|(key, value)| *key != "words" && !(*key == "roots" && value.is_array()));
            let mut sorted: Vec<(String, Value)> = told
                .map(|(key, value)| match value.as_str() {
                    Some(word) if key == "change" => (key.clone(), other(word).into()),
                    _ => (other(key), mirrored(value)),
                })
                .collect();
            sorted.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => items.iter().map(mirrored).collect(),
        scalar => scalar.clone(),
    }
}

fn json_of(diff: &LockDiff) -> Value {
    serde_json::to_value(diff).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn comparisons_hold_together(
        one in plans(), other in plans(), shared in 0..9_usize, roots in 1..4_usize, others in 1..4_usize
    ) {
        // The same nodes at the bottom of both.
        let mut second = other;
        second.extend(one.iter().skip(one.len().saturating_sub(shared)).cloned());
        let (a, b) = (lock(&one, roots), lock(&second, others));

        let same = of_texts(&a.text, &a.text).unwrap();
        prop_assert!(same.is_empty() && same.summary.same == a.hashes.len(), "{same:#?}");

        let forth = of_texts(&a.text, &b.text).unwrap();
        let back = of_texts(&b.text, &a.text).unwrap();
        prop_assert_eq!(mirrored(&json_of(&forth)), mirrored(&mirrored(&json_of(&back))));

        let mut hashes = a.hashes.clone();
        for row in &forth.packages {
            if let Some(hash) = &row.from_hash {
                prop_assert!(hashes.remove(hash), "{hash} is not in the first");
            }
            let runs = |side: &Lock, hash: &Option<String>| hash.as_ref().is_some_and(|h| side.runtime.contains(h));
            prop_assert_eq!(row.build_only, !runs(&a, &row.from_hash) && !runs(&b, &row.to_hash), "{:#?}", row);
        }
        prop_assert_eq!(hashes.len(), forth.summary.same);
        hashes.extend(forth.packages.iter().filter_map(|row| row.to_hash.clone()));
        prop_assert_eq!(hashes, b.hashes);
    }
}

/// Locks that Spack wrote, of every version and site that was recorded, each with each.
#[test]
fn recorded_locks_compare() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = |path: &Path| -> Vec<PathBuf> {
        LiveEyes.list(path).unwrap().iter().map(|name| path.join(name)).collect()
    };
    let locks: Vec<PathBuf> = entries(&folder)
        .iter()
        .flat_map(|path| entries(path))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("spack.lock")))
        .collect();
    assert!(locks.len() >= 8, "{locks:?}");
    for one in &locks {
        for other in &locks {
            let read = |path: &Path| LockfileText::read(&LiveEyes, path).unwrap();
            let (a, b) = (read(one), read(other));
            let forth = of_texts(&a, &b).unwrap();
            assert!(one != other || forth.is_empty(), "{one:?}");
            let back = of_texts(&b, &a).unwrap();
            assert_eq!(mirrored(&json_of(&forth)), mirrored(&mirrored(&json_of(&back))), "{one:?} {other:?}");
            let (old, new) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(
                forth.summary.same + forth.summary.changed + forth.summary.removed,
                old.all_specs().len()
            );
            assert_eq!(
                forth.summary.same + forth.summary.changed + forth.summary.added,
                new.all_specs().len()
            );
        }
    }
}

//! `env status`, root by root, against what Spack's own objects say, through the executable.

#![allow(clippy::unwrap_used)] // A test: what is not there must stop it.

use std::collections::BTreeMap;
use std::path::Path;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::common::lab::{self, LabSite};

type Roots = BTreeMap<String, Vec<(String, String)>>;

fn ours(site: &LabSite, state: &Path) -> Roots {
    let moonstack = |words: &[&str]| -> Value {
        let mut command = site.command(env!("CARGO_BIN_EXE_moonstack"));
        let output = command.env("XDG_STATE_HOME", state).arg("--json").args(words).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|e| panic!("{words:?}: {e}: {}", String::from_utf8_lossy(&output.stderr)))
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let environments = moonstack(&["env", "list"]);
    let names = environments.as_array().unwrap().iter().map(|e| text(&e["name"]));
    names
        .map(|name| {
            let status = moonstack(&["env", "status", &name]);
            let roots = status["roots"].as_array().unwrap();
            let mut rows: Vec<_> = roots.iter().map(|r| (text(&r["hash"]), text(&r["state"]))).collect();
            rows.sort();
            (name, rows)
        })
        .collect()
}

fn theirs(site: &LabSite) -> Roots {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/status_agreement/ask.py");
    let printed = site.spack(&["python", script.to_str().unwrap()]).unwrap();
    let json = printed.lines().find_map(|line| line.strip_prefix("STATUS")).unwrap();
    let raw: BTreeMap<String, Vec<(Option<String>, String)>> = serde_json::from_str(json).unwrap();
    raw.into_iter()
        .map(|(name, rows)| {
            let mut rows: Vec<_> = rows.into_iter().map(|(h, s)| (h.unwrap_or_default(), s)).collect();
            rows.sort();
            (name, rows)
        })
        .collect()
}

pub fn trials() -> Vec<Trial> {
    lab::for_each_site("status_agreement", the_same_state_of_every_root)
}

fn the_same_state_of_every_root(folder: &Path) {
    let site = LabSite::open(folder).unwrap();
    let state = tempfile::tempdir().unwrap();
    let (ours, theirs) = (ours(&site, state.path()), theirs(&site));
    let roots: usize = theirs.values().map(Vec::len).sum();
    eprintln!("{}: {} environments, {roots} roots", folder.display(), theirs.len());
    assert_eq!(ours, theirs, "{}", folder.display());
}

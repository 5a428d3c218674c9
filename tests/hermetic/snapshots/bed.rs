//! What the tests of snapshots ask of a practice site.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::runs_bed::Bed;

/// Exit code and error of a call that has to fail.
pub fn error(bed: &Bed, args: &[&str]) -> (i32, Value) {
    let mut all = vec!["--json"];
    all.extend(args);
    let output = bed.run(&all);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{args:?} did not fail: {output:?}");
    assert!(!text.contains("panicked"), "{args:?}: {text}");
    let line = text.lines().rev().find(|line| line.starts_with("{\"error\"")).unwrap_or_default();
    let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{args:?}: {text}"));
    (output.status.code().unwrap(), value["error"].clone())
}

/// The call fails in this way, and nothing on the site is another than before.
pub fn refused(bed: &Bed, args: &[&str], kind: &str, code: i32, words: &str) {
    let before = (bed.tree(), kept(bed));
    let (got, error) = error(bed, args);
    assert_eq!((error["kind"].as_str().unwrap(), got), (kind, code), "{args:?}: {error}");
    assert!(error.to_string().contains(words), "{args:?}: {words}: {error}");
    assert!(before == (bed.tree(), kept(bed)), "{args:?} changed something");
}

/// Everything that the site keeps of snapshots.
pub fn kept(bed: &Bed) -> String {
    let folder = bed.state().join("snapshots");
    if folder.exists() { moonstack::base::digest::tree(&folder).unwrap() } else { String::new() }
}

pub fn create(bed: &Bed) -> Value {
    bed.json(&["snapshot", "create", "science"])
}

/// The shelf of the only environment that has snapshots.
pub fn shelf(bed: &Bed) -> PathBuf {
    let all = std::fs::read_dir(bed.state().join("snapshots/environments")).unwrap();
    let all: Vec<PathBuf> = all.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().map(Result::unwrap);
    all.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

pub fn objects(bed: &Bed) -> Vec<PathBuf> {
    files(&bed.state().join("snapshots/objects"))
}

pub fn size(files: &[PathBuf]) -> u64 {
    files.iter().map(|file| std::fs::metadata(file).unwrap().len()).sum()
}

/// One more package, installed.
pub fn grow(bed: &Bed, spec: &str) {
    bed.ok(&[
        "eval",
        &format!("env.add('science', {{ '{spec}' }}) env.concretize('science') env.install('science')"),
    ]);
}

pub fn names(rows: &Value) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row["snapshot"].as_str().unwrap().to_owned()).collect()
}

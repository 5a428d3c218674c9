//! Databases and lock files that real Spack releases wrote: every node is read and its hash recomputed, and
//! no damage passes for an answer.

#![allow(clippy::unwrap_used)] // A test: what is not there must stop it.

use std::path::{Path, PathBuf};

use moonstack::base::Kind;
use moonstack::spack::lock::lockfile::LockfileText;
use moonstack::spack::store::database::{Database, DatabaseText};
use moonstack::spack::text::hash::Verdict;

fn fixtures(named: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(root)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| named(path.file_name().unwrap().to_str().unwrap()))
        .collect();
    files.sort();
    files
}

fn databases() -> Vec<PathBuf> {
    fixtures(|name| name.starts_with("index") && Path::new(name).extension().is_some_and(|e| e == "json"))
}

/// Everything that the database says, in one text.
fn all_of(database: &Database<'_>) -> moonstack::base::Result<Vec<String>> {
    let line = |record| Ok(format!("{record:?} {:?}", database.node(record)?));
    database.records().iter().map(line).collect()
}

#[test]
fn every_recorded_database_is_read_and_verifies() {
    let files = databases();
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        let text = DatabaseText::from_bytes(&file, std::fs::read(&file).unwrap()).unwrap();
        let database = text.parse().unwrap();
        assert!(!database.records().is_empty(), "{}", file.display());
        for record in database.records() {
            let node = database.node(record).unwrap();
            assert_eq!(record.verify(), Verdict::Match, "{} in {}", record.name, file.display());
            assert!(node.unknown_keys.is_empty(), "{:?} in {}", node.unknown_keys, file.display());
            assert_eq!(node.name, record.name);
            for child in database.dependencies(record).unwrap() {
                assert_ne!(child.hash, record.hash);
            }
            for parent in database.dependents(record).unwrap() {
                let parent = database.node(parent).unwrap();
                assert!(parent.dependencies.iter().any(|edge| *edge.hash == *record.hash));
            }
        }
    }
}

#[test]
fn every_recorded_lock_file_is_read_and_verifies() {
    let files = fixtures(|name| name.starts_with("spack.lock"));
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let text = LockfileText::from_bytes(&file, std::fs::read(&file).unwrap()).unwrap();
        let lock = text.parse().unwrap();
        let specs = lock.all_specs();
        assert!(!specs.is_empty());
        let included = file.to_str().unwrap().ends_with("include_concrete");
        assert_eq!(!lock.group.included.is_empty(), included, "{}", file.display());
        for locked in specs {
            assert_eq!(lock.node(locked).unwrap().hash.as_deref(), Some(&*locked.hash));
            assert_eq!(locked.verify(), Verdict::Match, "{} in {}", locked.hash, file.display());
        }
    }
}

#[test]
fn a_database_cut_off_anywhere_is_an_error_with_its_place() {
    let file = &databases()[0];
    let bytes = std::fs::read(file).unwrap();
    for at in 0..50 {
        let cut = bytes.len() * at / 50;
        let error = DatabaseText::from_bytes(file, bytes[..cut].to_vec()).unwrap().parse().unwrap_err();
        assert_eq!(error.kind(), Kind::Corrupt);
        let offset = error.facts()["offset"].as_u64().unwrap();
        assert!(offset <= cut as u64 && offset + 40 >= cut as u64, "{offset} for {cut}");
    }
}

/// A flipped byte is an error, or stands in a value whose record no longer verifies, or in what Spack keeps
/// beside the node; records never vanish.
#[test]
fn a_flipped_byte_never_makes_a_shorter_answer() {
    for file in databases() {
        let bytes = std::fs::read(&file).unwrap();
        let text = DatabaseText::from_bytes(&file, bytes.clone()).unwrap();
        let whole = text.parse().unwrap();
        let (records, said) = (whole.records().len(), all_of(&whole).unwrap());
        for at in (0..bytes.len()).step_by(bytes.len() / 200) {
            for bit in [1, 4, 32] {
                let mut flipped = bytes.clone();
                flipped[at] ^= bit;
                let Ok(text) = DatabaseText::from_bytes(&file, flipped) else { continue };
                let Ok(database) = text.parse() else { continue };
                let Ok(now) = all_of(&database) else { continue };
                assert_eq!(database.records().len(), records, "byte {at}");
                let lying = database.records().iter().any(|record| record.verify() != Verdict::Match);
                let differing = now.iter().zip(&said).filter(|(a, b)| a != b).count();
                assert!(
                    lying || differing <= 1,
                    "byte {at} of {} changed {differing} records",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn versions_and_shapes_that_are_not_known_are_named() {
    let path = Path::new("index.json");
    let parse = |text: &str| DatabaseText::from_bytes(path, text.into()).unwrap().parse().map(|_| ());
    let kind = |text: &str| parse(text).unwrap_err().kind();
    assert_eq!(kind(r#"{"database":{"version":"9","installs":{}}}"#), Kind::UnknownFormat);
    assert_eq!(kind(r#"{"database":{"version":"99","entries":[]}}"#), Kind::UnknownFormat);
    assert_eq!(kind(r#"{"database":{"version":"8","installs":{},"version":"8"}}"#), Kind::Corrupt);
    assert_eq!(kind(r#"{"database":{"version":"8","installs":[]}}"#), Kind::Corrupt);
    assert_eq!(kind(r#"{"database":{"version":"8"}}"#), Kind::Corrupt);
    assert_eq!(kind("[]"), Kind::Corrupt);
    assert_eq!(kind(""), Kind::Corrupt);
    assert!(parse(r#"{"database":{"version":"8","installs":{}}}"#).is_ok());
    let file = &databases()[0];
    let text = std::fs::read_to_string(file).unwrap();
    let (head, tail) = text.split_once("\"installs\":{").unwrap();
    let (_, record) = tail.split_once('"').unwrap();
    let first = record.split_once(",\"deprecated_for\":null},\"").unwrap().0;
    let twice = format!("{head}\"installs\":{{\"{first},\"deprecated_for\":null}},{tail}");
    assert_eq!(kind(&twice), Kind::Corrupt, "a hash that stands twice");

    let lock =
        |text: &str| LockfileText::from_bytes(path, text.into()).unwrap().parse().map(|_| ()).unwrap_err();
    let text = r#"{"_meta":{"file-type":"spack-lockfile","lockfile-version":7},"what":1}"#;
    assert_eq!(lock(text).kind(), Kind::UnknownFormat);
    assert_eq!(lock("{").kind(), Kind::Corrupt);
}

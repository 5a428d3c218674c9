//! What must hold for any bytes: an answer or an error, never a panic, never unbounded work. The fuzz targets and the
//! bounded run of `cargo test` (`tests/hermetic/mutations.rs`) call the same functions.

use std::path::Path;

use moonstack::spack::lock::lockfile::LockfileText;
use moonstack::spack::spec::{Dialect, Spec};
use moonstack::spack::store::database::DatabaseText;
use moonstack::spack::store::query::Query;

/// Every record that comes out can be looked at from all sides.
pub fn database(bytes: &[u8]) {
    let Ok(text) = DatabaseText::from_bytes(Path::new("index.json"), bytes.to_vec()) else { return };
    let Ok(database) = text.parse() else { return };
    for record in database.records() {
        assert!(database.get(record.hash).is_some(), "{} is not found by its hash", record.hash);
        let _ = database.node(record);
        let _ = database.dependencies(record);
        let _ = database.dependents(record);
        let _ = record.verify();
    }
    let _ = database.virtuals();
}

pub fn lockfile(bytes: &[u8]) {
    let Ok(text) = LockfileText::from_bytes(Path::new("spack.lock"), bytes.to_vec()) else { return };
    let Ok(lock) = text.parse() else { return };
    for locked in lock.all_specs() {
        let _ = lock.node(locked);
        let _ = locked.verify();
    }
}

pub fn yaml(text: &str) {
    if let Ok(tree) = moonstack::spack::text::yaml::parse(text, Path::new("config.yaml")) {
        let _ = tree.to_json();
    }
}

/// What was read can be printed and read again to the same.
pub fn spec(text: &str) {
    for dialect in [Dialect::Compiler, Dialect::Direct] {
        let _ = Query::parse(text, dialect);
        let Ok(spec) = Spec::parse(text, dialect) else { continue };
        let printed = spec.to_string();
        let again = Spec::parse(&printed, dialect);
        assert_eq!(again.ok().as_ref(), Some(&spec), "{text:?} is printed as {printed:?}");
    }
}

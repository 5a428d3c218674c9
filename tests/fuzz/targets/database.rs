//! Any bytes as a database: an answer or an error, never a panic; every record that comes out can be read whole.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use moonstack::spack::database::DatabaseText;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = DatabaseText::from_bytes(Path::new("index.json"), bytes.to_vec()) else { return };
    let Ok(database) = text.parse() else { return };
    for record in database.records() {
        let _ = database.node(record);
        let _ = database.dependencies(record);
        let _ = database.dependents(record);
        let _ = record.verify();
    }
    let _ = database.virtuals();
});

//! Any bytes as a lock file: an answer or an error, never a panic.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use moonstack::spack::lockfile::LockfileText;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = LockfileText::from_bytes(Path::new("spack.lock"), bytes.to_vec()) else { return };
    let Ok(lock) = text.parse() else { return };
    for locked in lock.all_specs() {
        let _ = lock.node(locked);
        let _ = locked.verify();
    }
});

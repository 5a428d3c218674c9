//! Any text as YAML: a tree or an error, never a panic, never unbounded work.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(tree) = moonstack::spack::yaml::parse(text, Path::new("config.yaml")) {
        let _ = tree.to_json();
    }
});

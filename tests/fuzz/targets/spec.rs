//! Any text as a spec: a spec or an error; what was read can be printed and read again to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use moonstack::spack::spec::{Dialect, Spec};

fuzz_target!(|text: &str| {
    for dialect in [Dialect::Compiler, Dialect::Direct] {
        let Ok(spec) = Spec::parse(text, dialect) else { continue };
        let printed = spec.to_string();
        let again = Spec::parse(&printed, dialect);
        assert_eq!(again.ok().as_ref(), Some(&spec), "printed as {printed:?}");
    }
});

//! Runs the example of every primitive as it stands, each on a machine of its own.

mod common;

use common::{Bench, shown};
use libtest_mimic::{Arguments, Trial};

/// Modules whose examples need a Spack.
const WITH_SPACK: &[&str] = &["spack", "env", "check"];

fn main() {
    let registry = moonstack::api::registry();
    let declared = registry.iter().map(|p| (p.path, p.module(), p.example));
    let handmade = registry.handmade().iter().map(|h| (h.path, h.module(), h.example));
    let trials = declared
        .chain(handmade)
        .map(|(path, module, example)| {
            let ignored = WITH_SPACK.contains(&module) || path == "help";
            Trial::test(path, move || run(path, example)).with_ignored_flag(ignored)
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn run(path: &str, example: &str) -> Result<(), libtest_mimic::Failed> {
    let bench = Bench::new(&[]);
    // As at the prompt: an expression, or statements.
    let expression = format!("return {example}");
    let source = |text: &str| moonstack::script::loader::Source {
        name: path.to_owned(),
        text: text.as_bytes().to_vec(),
    };
    let text = if bench.host.compile(&source(&expression)).is_ok() { &expression } else { example };
    bench.run(path, text).map(drop).map_err(|t| format!("{example}\n{}", shown(&t)).into())
}

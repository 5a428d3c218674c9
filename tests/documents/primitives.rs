//! Runs the example of every primitive as it stands, each on a machine of its own.

use libtest_mimic::Trial;
use mlua::Value;

use crate::common::{Bench, shown};

/// Modules whose examples need a Spack; they get a practice site.
const WITH_SPACK: &[&str] = &["spack", "env", "check", "snapshot", "generation"];

pub fn trials() -> Vec<Trial> {
    let registry = moonstack::api::registry();
    let declared = registry.iter().map(|p| (p.path, p.module(), p.example));
    let handmade = registry.handmade().iter().map(|h| (h.path, h.module(), h.example));
    declared
        .chain(handmade)
        .map(|(path, module, example)| {
            Trial::test(format!("primitives::{path}"), move || run(path, module, example))
        })
        .collect()
}

fn run(path: &str, module: &str, example: &str) -> Result<(), libtest_mimic::Failed> {
    let bench = if WITH_SPACK.contains(&module) { Bench::practice() } else { Bench::new(&[]) };
    // As at the prompt: an expression, or statements.
    let expression = format!("return {example}");
    let source = |text: &str| moonstack::script::loader::Source {
        name: path.to_owned(),
        text: text.as_bytes().to_vec(),
    };
    let text = if bench.host.compile(&source(&expression)).is_ok() { &expression } else { example };
    let values = bench.run(path, text).map_err(|t| format!("{example}\n{}", shown(&t)))?;
    // An example that shows nothing explains nothing, and on a practice site there is something to find.
    let printed = bench.printed.borrow().join("");
    if (example.contains("print(") || path == "help") && printed.trim().is_empty() {
        return Err(format!("{example}\nprinted nothing").into());
    }
    let nothing = |v: &Value| matches!(v, Value::Table(t) if t.is_empty()) || v.is_nil();
    if ["spack", "env"].contains(&module) && values.iter().all(nothing) {
        return Err(format!("{example}\nfound nothing on the practice site").into());
    }
    Ok(())
}

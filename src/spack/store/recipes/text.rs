//! Finds `provides` directives in the text of a recipe, with the `with when(...)` blocks around them.

use super::{FoundProvision, Provision};
use crate::spack::spec::{Dialect, Spec};

/// What holds inside a block.
#[derive(Clone)]
enum Condition {
    When(Box<Spec>),
    /// Nothing, as on another operating system.
    Never,
    Unknown,
}

pub fn provisions_of(text: &str, dialect: Dialect) -> Vec<FoundProvision> {
    let mut out = Vec::new();
    // Indentation and condition of the blocks that are open.
    let mut blocks: Vec<(usize, Condition)> = Vec::new();
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let start = offset;
        offset += line.len();
        let code = line.trim_start();
        if code.trim_end().is_empty() || code.starts_with(['#', ']', ')']) {
            continue;
        }
        let indent = line.len() - code.len();
        blocks.retain(|(outer, _)| *outer < indent);
        if let Some(condition) = block(code, dialect) {
            blocks.push((indent, condition));
        } else if code.starts_with("provides(") {
            let arguments = text.get(start + indent + "provides(".len()..).unwrap_or("");
            if !blocks.iter().any(|(_, condition)| matches!(condition, Condition::Never)) {
                out.push(directive(arguments, &blocks, dialect).unwrap_or_else(|| {
                    let arguments = arguments.split(')').next().unwrap_or("").to_owned();
                    FoundProvision::Computed { line: number + 1, arguments }
                }));
            }
        }
    }
    out
}

/// The condition of a line that opens a block.
fn block(code: &str, dialect: Dialect) -> Option<Condition> {
    if let Some(rest) = code.strip_prefix("with when(") {
        let condition = literal(rest).and_then(|(text, _)| Spec::parse(&text, dialect).ok());
        return Some(condition.map_or(Condition::Unknown, |spec| Condition::When(Box::new(spec))));
    }
    if let Some(test) = code.strip_prefix("if sys.platform ") {
        let here = if cfg!(target_os = "macos") { "\"darwin\"" } else { "\"linux\"" };
        let negated = test.starts_with("!=") || test.starts_with("not in");
        let holds = test.contains(here) != negated;
        return Some(if holds { Condition::When(Box::default()) } else { Condition::Never });
    }
    let opens = ["for ", "if ", "else", "elif ", "with "].iter().any(|word| code.starts_with(word));
    opens.then_some(Condition::Unknown)
}

/// One directive, from behind its opening bracket.
fn directive(mut rest: &str, blocks: &[(usize, Condition)], dialect: Dialect) -> Option<FoundProvision> {
    let mut virtuals = Vec::new();
    let condition = |(_, condition): &(usize, Condition)| match condition {
        Condition::When(spec) => Some((**spec).clone()),
        Condition::Never | Condition::Unknown => None,
    };
    let mut when: Vec<Spec> = blocks.iter().map(condition).collect::<Option<_>>()?;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if rest.starts_with(')') {
            return Some(FoundProvision::Read(Provision { virtuals, when }));
        }
        if rest.starts_with('#') {
            rest = rest.split_once('\n')?.1;
        } else if let Some(value) = rest.strip_prefix("when").and_then(|r| r.trim_start().strip_prefix('=')) {
            let (text, tail) = literal(value.trim_start())?;
            when.push(Spec::parse(&text, dialect).ok()?);
            rest = tail;
        } else {
            let (text, tail) = literal(rest)?;
            virtuals.push(Spec::parse(&text, dialect).ok()?);
            rest = tail;
        }
    }
}

/// A plain string literal, and what follows it.
fn literal(text: &str) -> Option<(String, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, tail) = text.get(1..)?.split_once(quote)?;
    let joined = tail.trim_start().starts_with(['"', '\'', '+', '.', '%']);
    (!value.contains(['\\', '\n']) && !joined).then(|| (value.to_owned(), tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_with_their_conditions() {
        let text = "class X(Package):\n    provides(\"mpi\")\n    provides('mpi@:3.1', when=\"@2:\")\n    \
                    with when(\"+blas\"):\n        provides(\n            \"blas\",\n            \"lapack\",\n        )\n    \
                    provides(name)\n    # provides('no')\n    \
                    if sys.platform == \"win32\":\n        provides(\"c\")\n";
        let found = provisions_of(text, Dialect::Direct);
        let spec = |text: &str| Spec::parse(text, Dialect::Direct).unwrap();
        let read = |virtuals: &[&str], when: &[&str]| {
            FoundProvision::Read(Provision {
                virtuals: virtuals.iter().map(|v| spec(v)).collect(),
                when: when.iter().map(|w| spec(w)).collect(),
            })
        };
        assert_eq!(
            found,
            [
                read(&["mpi"], &[]),
                read(&["mpi@:3.1"], &["@2:"]),
                read(&["blas", "lapack"], &["+blas"]),
                FoundProvision::Computed { line: 9, arguments: "name".to_owned() },
            ]
        );
    }
}

//! What help and the reference page say of policies: what is asked, of which facts, what decides by default.

use schemars::Schema;
use serde_json::Value;

use super::help::columns;
use super::parts::{flow, summary};
use super::types::lua_type;
use crate::policy::{SLOTS, Slot, lint};

/// The name that stands before the slot's.
pub const MODULE: &str = "policy";

/// What cannot be seen in an expression, but must be known to write one.
const TRAPS: &[&str] = &[
    "Whole numbers divide to whole numbers: 5 / 2 is 2, 5 / 2.0 is 2.5.",
    "A fraction divided by zero is infinite and stops nothing; a whole number divided by zero fails.",
    "Texts stand in double quotes and compare letter by letter: \"Fail\" is not \"fail\".",
    "A policy that fails when it is asked is reported once a run, and the default decides.",
];

const INTRODUCTION: &str = "A policy is one expression in the table [policy] of the site file that answers a question \
of the core.\nIt sees the facts that help(\"policy.NAME\") lists, and changes nothing. It is checked when the site \
file is read;\n`moonstack policy try` shows what it says.";

const OPERATORS: &str =
    "== != < <= > >=  && || !  + - * / % **  in  if … { … } else { … }  switch … { … => …, _ => … }";

/// The facts of a slot: name, type, documentation.
pub fn facts(slot: &Slot) -> Vec<(String, String, String)> {
    let schema = (slot.schema)();
    let properties = schema.get("properties").and_then(Value::as_object);
    let rows = properties.into_iter().flatten().map(|(name, fact)| {
        let doc = fact.get("description").and_then(Value::as_str).unwrap_or_default();
        (name.clone(), kind(fact, &schema), flow(doc))
    });
    rows.collect()
}

/// The type of a fact in words; a word list that is too long for a line is a text.
fn kind(fact: &Value, root: &Schema) -> String {
    const LONG: usize = 60;
    let words = lua_type(fact, &mut |name| {
        let found = root.get("$defs").and_then(|defs| defs.get(name));
        found.map_or_else(|| name.to_owned(), |found| lua_type(found, &mut str::to_owned))
    });
    if words.starts_with('"') && words.len() > LONG { String::from("string") } else { words }
}

/// Help for one slot.
pub fn about(slot: &Slot) -> String {
    let rows: Vec<(String, String)> =
        facts(slot).into_iter().map(|(name, kind, doc)| (format!("{name}: {kind}"), doc)).collect();
    format!(
        "{MODULE}.{name}\n\n{doc}\n\nFacts\n{facts}\nGives\n  {answer}\n\nDefault\n  {default}\n\n\
         Example\n  [policy]\n  {name} = '''{example}'''\n\n\
         moonstack policy try {name} 'EXPRESSION' --facts FILE shows what one says.\n",
        name = slot.name,
        doc = flow(&slot.doc()),
        facts = columns(&rows),
        answer = slot.answer,
        default = slot.default,
        example = slot.example,
    )
}

/// Help for all of them.
pub fn overview() -> String {
    let rows: Vec<(String, String)> =
        SLOTS.iter().map(|slot| (format!("{MODULE}.{}", slot.name), summary(&flow(&slot.doc())))).collect();
    let functions: Vec<(String, String)> =
        lint::functions().map(|(group, names)| (group.to_owned(), names.join(", "))).collect();
    format!(
        "{MODULE}\n\n{INTRODUCTION}\n\n{}\nOperators\n  {OPERATORS}\n\nFunctions\n{}\nTo know\n  {}\n",
        columns(&rows),
        columns(&functions),
        TRAPS.join("\n  "),
    )
}

/// The section of the reference page.
pub fn section(out: &mut String) {
    out.push_str(&format!("\n## Policies\n\n{INTRODUCTION}\n\nOperators: `{OPERATORS}`\n\n"));
    for (group, names) in lint::functions() {
        let names: Vec<String> = names.into_iter().map(|f| format!("`{f}`")).collect();
        out.push_str(&format!("- Functions for {group}: {}.\n", names.join(", ")));
    }
    for trap in TRAPS {
        out.push_str(&format!("- {trap}\n"));
    }
    for slot in SLOTS {
        out.push_str(&format!(
            "\n### `{MODULE}.{}`\n\n{}\n\n| fact | type | |\n|---|---|---|\n",
            slot.name,
            flow(&slot.doc())
        ));
        for (name, kind, doc) in facts(slot) {
            out.push_str(&format!("| `{name}` | `{}` | {doc} |\n", kind.replace('|', "\\|")));
        }
        out.push_str(&format!(
            "\nGives {}. Default:\n\n```rust\n{}\n```\n\nExample:\n\n```rust\n{}\n```\n",
            slot.answer, slot.default, slot.example
        ));
    }
}

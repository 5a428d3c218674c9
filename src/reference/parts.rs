//! What help, page and stub all say about a primitive: its arguments, types and effect.

use serde_json::Value;

use super::types::{Definition, lua_type};
use crate::api::Primitive;
use crate::api::gather::{Field, Shape};
use crate::world::Effect;

/// One argument as people read it.
pub struct Argument {
    pub name: String,
    pub positional: bool,
    pub required: bool,
    pub kind: String,
    pub default: Option<String>,
    pub doc: String,
}

/// A primitive as people read it.
pub struct Parts {
    pub doc: String,
    pub arguments: Vec<Argument>,
    pub result: String,
    pub effect: &'static str,
}

impl Parts {
    pub fn of(primitive: &Primitive) -> Parts {
        let shape = Shape::of(&(primitive.args)());
        let mut arguments: Vec<Argument> = primitive
            .positional
            .iter()
            .filter_map(|name| shape.field(name))
            .map(|field| argument(field, &shape, true))
            .collect();
        let named = shape.fields.iter().filter(|f| !primitive.positional.contains(&f.name.as_str()));
        arguments.extend(named.map(|field| argument(field, &shape, false)));
        Parts {
            doc: flow(&shape.doc),
            arguments,
            result: result(&(primitive.result)()),
            effect: effect(primitive.effect),
        }
    }

    /// `spack.install(spec, { jobs, … })`.
    pub fn signature(&self, path: &str) -> String {
        let mut parts: Vec<String> = self
            .arguments
            .iter()
            .filter(|a| a.positional)
            .map(|a| if a.required { a.name.clone() } else { format!("{}?", a.name) })
            .collect();
        let options: Vec<&str> =
            self.arguments.iter().filter(|a| !a.positional).map(|a| a.name.as_str()).collect();
        if !options.is_empty() {
            let shown = options.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            parts.push(format!("{{ {shown}{} }}", if options.len() > 3 { ", …" } else { "" }));
        }
        format!("{path}({})", parts.join(", "))
    }
}

pub fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Changes => "changes the site",
        Effect::Reads => "reads",
    }
}

fn argument(field: &Field, shape: &Shape, positional: bool) -> Argument {
    let kind = lua_type(&field.schema, &mut |name| short(name, &shape.definitions));
    Argument {
        name: field.name.clone(),
        positional,
        required: field.required,
        kind: kind.strip_suffix(" | nil").map(str::to_owned).unwrap_or(kind),
        default: field.schema.get("default").filter(|d| !d.is_null()).map(Value::to_string),
        doc: flow(&field.doc),
    }
}

fn result(schema: &schemars::Schema) -> String {
    let root = schema.as_value();
    let definitions = root.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
    lua_type(root, &mut |name| short(name, &definitions))
}

/// A word list as its words, anything larger by its name.
fn short(name: &str, definitions: &Definition) -> String {
    match definitions.get(name) {
        Some(schema) if schema.get("properties").is_none() && schema.get("$ref").is_none() => {
            let words = lua_type(schema, &mut str::to_owned);
            if words.len() <= 80 { words } else { name.to_owned() }
        }
        _ => name.to_owned(),
    }
}

/// Paragraphs with their inner line breaks taken out.
pub fn flow(doc: &str) -> String {
    let paragraphs: Vec<String> = doc
        .split("\n\n")
        .map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|p| !p.is_empty())
        .collect();
    paragraphs.join("\n\n")
}

/// The first sentence, for lists.
pub fn summary(doc: &str) -> String {
    let first = doc.split("\n\n").next().unwrap_or_default();
    match first.find(". ") {
        Some(end) => first[..=end].to_owned(),
        None => first.to_owned(),
    }
}

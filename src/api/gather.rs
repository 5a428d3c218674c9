//! What a primitive's arguments look like, read from their schema, and the checks that need no values:
//! unknown names, missing ones, and a table with names where a list is expected.

use schemars::Schema;
use serde_json::{Map, Value};

use crate::base::{Result, Trouble};

/// One argument.
#[derive(Debug, Clone)]
pub struct Field {
    pub name: String,
    pub doc: String,
    pub required: bool,
    pub kind: FieldKind,
    pub schema: Value,
}

/// As much of a type as the checks and the documentation need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    Number,
    Integer,
    Flag,
    List(Box<FieldKind>),
    /// A table with free names.
    Table,
    /// A named type of the schema's definitions.
    Named(String),
    /// One of some words.
    OneOf(Vec<String>),
    /// One of several kinds.
    Either(Vec<FieldKind>),
    Any,
}

/// All arguments of a primitive, or all fields of a result.
#[derive(Debug, Clone)]
pub struct Shape {
    pub doc: String,
    pub fields: Vec<Field>,
    /// Types that fields refer to by name.
    pub definitions: Map<String, Value>,
}

impl Shape {
    pub fn of(schema: &Schema) -> Shape {
        let value = schema.as_value();
        let definitions = value.get("$defs").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut shape = Shape::of_object(value);
        shape.definitions = definitions;
        shape
    }

    /// The shape of one object schema.
    pub fn of_object(value: &Value) -> Shape {
        let required: Vec<&str> = value
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let fields = value
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, schema)| Field {
                name: name.clone(),
                doc: text(schema, "description"),
                required: required.contains(&name.as_str()),
                kind: FieldKind::of(schema),
                schema: schema.clone(),
            })
            .collect();
        Shape { doc: text(value, "description"), fields, definitions: Map::new() }
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|f| f.name.as_str())
    }

    /// Refuses a name that no argument has.
    pub fn known(&self, function: &str, name: &str) -> Result<&Field> {
        self.field(name).ok_or_else(|| {
            if self.fields.is_empty() {
                return Trouble::usage(format!("{function} takes no options, but was given '{name}'"));
            }
            Trouble::unknown(&format!("{function}: option"), name, self.names())
        })
    }

    /// Refuses a call that lacks what it needs.
    pub fn complete(&self, function: &str, given: impl Fn(&str) -> bool) -> Result<()> {
        match self.fields.iter().find(|f| f.required && !given(&f.name)) {
            None => Ok(()),
            Some(field) => Err(Trouble::usage(format!("{function}: '{}' is missing", field.name))
                .hint(format!("{}: {}", field.name, first_sentence(&field.doc)))),
        }
    }

    /// Checks arguments that came as JSON.
    pub fn check_json(&self, function: &str, arguments: &Map<String, Value>) -> Result<()> {
        for (name, value) in arguments {
            let field = self.known(function, name)?;
            if field.kind.is_list() && value.is_object() {
                return Err(field.list_wanted(function));
            }
        }
        self.complete(function, |name| arguments.get(name).is_some_and(|v| !v.is_null()))
    }
}

impl Field {
    /// A table with names would become an empty list without a word.
    pub fn list_wanted(&self, function: &str) -> Trouble {
        Trouble::usage(format!("{function}: '{}' must be a list, not a table with names", self.name))
            .hint(format!("{}: {}", self.name, first_sentence(&self.doc)))
    }
}

impl FieldKind {
    pub fn of(schema: &Value) -> FieldKind {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            return FieldKind::Named(reference.rsplit('/').next().unwrap_or_default().to_owned());
        }
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            return FieldKind::OneOf(words.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        }
        if let Some(word) = schema.get("const").and_then(Value::as_str) {
            return FieldKind::OneOf(vec![word.to_owned()]);
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(several) = schema.get(key).and_then(Value::as_array) {
                return FieldKind::either(
                    several.iter().filter(|s| !is_null(s)).map(FieldKind::of).collect(),
                );
            }
        }
        match schema.get("type") {
            Some(Value::String(name)) => FieldKind::simple(name, schema),
            Some(Value::Array(names)) => FieldKind::either(
                names
                    .iter()
                    .filter_map(Value::as_str)
                    .filter(|n| *n != "null")
                    .map(|n| FieldKind::simple(n, schema))
                    .collect(),
            ),
            _ => FieldKind::Any,
        }
    }

    fn simple(name: &str, schema: &Value) -> FieldKind {
        match name {
            "string" => FieldKind::Text,
            "number" => FieldKind::Number,
            "integer" => FieldKind::Integer,
            "boolean" => FieldKind::Flag,
            "array" => FieldKind::List(Box::new(schema.get("items").map_or(FieldKind::Any, FieldKind::of))),
            "object" => FieldKind::Table,
            _ => FieldKind::Any,
        }
    }

    fn either(mut several: Vec<FieldKind>) -> FieldKind {
        if several.iter().all(|k| matches!(k, FieldKind::OneOf(_))) && several.len() > 1 {
            let words =
                several.into_iter().flat_map(|k| if let FieldKind::OneOf(w) = k { w } else { Vec::new() });
            return FieldKind::OneOf(words.collect());
        }
        if several.len() == 1 { several.remove(0) } else { FieldKind::Either(several) }
    }

    pub fn is_list(&self) -> bool {
        matches!(self, FieldKind::List(_))
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("null")
}

fn text(schema: &Value, key: &str) -> String {
    schema.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The first sentence of a doc comment, on one line however it is broken.
pub fn first_sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default();
    let text = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    // A dot within a name or a number ends nothing.
    let end = text.match_indices(". ").map(|(at, _)| at).find(|at| {
        let next = text[at + 2..].chars().next();
        next.is_some_and(|c| c.is_uppercase() || c == '`') && !text[..*at].ends_with("e.g")
    });
    end.map_or_else(|| text.clone(), |at| text[..=at].to_owned())
}

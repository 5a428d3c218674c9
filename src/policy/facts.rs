//! Facts as an expression sees them: their types, read from the schema, and their values as constants.

use std::collections::BTreeMap;

use rhai::{Array, Dynamic, Map, Scope};
use schemars::Schema;
use serde_json::Value;

/// As much of a type as the checks need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Number,
    /// One of these words; any text if there are none.
    Text(Vec<String>),
    Flag,
    List(Box<Type>),
    Table(BTreeMap<String, Type>),
    Any,
}

impl Type {
    /// For messages.
    pub fn name(&self) -> &'static str {
        match self {
            Type::Number => "a number",
            Type::Text(_) => "a text",
            Type::Flag => "true or false",
            Type::List(_) => "a list",
            Type::Table(_) => "a table",
            Type::Any => "a value",
        }
    }

    /// Whether no value of one can equal a value of the other.
    pub fn differs(&self, other: &Type) -> bool {
        !matches!(self, Type::Any)
            && !matches!(other, Type::Any)
            && std::mem::discriminant(self) != std::mem::discriminant(other)
    }
}

/// A fact with what is said of it.
#[derive(Debug, Clone)]
pub struct Fact {
    pub name: String,
    pub kind: Type,
    pub doc: String,
}

/// Types refer to each other by name; no facts are deeper than this.
const DEPTH: usize = 8;

/// The facts of a schema, in the order of their declaration.
pub fn facts(schema: &Schema) -> Vec<Fact> {
    let root = schema.as_value();
    let properties = root.get("properties").and_then(Value::as_object);
    let described =
        |schema: &Value| schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    properties
        .into_iter()
        .flatten()
        .map(|(name, schema)| Fact {
            name: name.clone(),
            kind: kind(schema, root, DEPTH),
            doc: described(schema),
        })
        .collect()
}

fn kind(schema: &Value, root: &Value, depth: usize) -> Type {
    let Some(depth) = depth.checked_sub(1) else { return Type::Any };
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let found = root.get("$defs").and_then(|d| d.get(name));
        return found.map_or(Type::Any, |found| kind(found, root, depth));
    }
    if let Some(words) = words(schema) {
        return Type::Text(words);
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => Type::Number,
        Some("string") => Type::Text(Vec::new()),
        Some("boolean") => Type::Flag,
        Some("array") => {
            let item = schema.get("items").map_or(Type::Any, |item| kind(item, root, depth));
            Type::List(Box::new(item))
        }
        Some("object") => match schema.get("properties").and_then(Value::as_object) {
            Some(properties) => {
                Type::Table(properties.iter().map(|(k, v)| (k.clone(), kind(v, root, depth))).collect())
            }
            None => Type::Any,
        },
        _ => Type::Any,
    }
}

/// The words of an enumeration, however the schema writes it.
fn words(schema: &Value) -> Option<Vec<String>> {
    let word = |v: &Value| v.as_str().map(str::to_owned);
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        return listed.iter().map(word).collect();
    }
    if let Some(only) = schema.get("const") {
        return word(only).map(|w| vec![w]);
    }
    let several = schema.get("oneOf").and_then(Value::as_array)?;
    let lists: Option<Vec<Vec<String>>> = several.iter().map(words).collect();
    lists.map(|lists| lists.concat())
}

/// The facts as constants.
pub fn scope(facts: &Value) -> Scope<'static> {
    let mut scope = Scope::new();
    for (name, value) in facts.as_object().into_iter().flatten() {
        scope.push_constant_dynamic(name.clone(), dynamic(value));
    }
    scope
}

fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.clone().into(),
        Value::Array(items) => Dynamic::from_array(items.iter().map(dynamic).collect::<Array>()),
        Value::Object(map) => {
            Dynamic::from_map(map.iter().map(|(k, v)| (k.as_str().into(), dynamic(v))).collect::<Map>())
        }
    }
}

/// A value in a message.
pub fn describe(value: &Dynamic) -> String {
    if let Ok(flag) = value.as_bool() {
        return flag.to_string();
    }
    if let Ok(number) = value.as_int() {
        return format!("the number {number}");
    }
    if let Ok(number) = value.as_float() {
        return format!("the number {number}");
    }
    if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        let short: String = text.chars().take(40).collect();
        return format!("the text \"{short}\"");
    }
    match value {
        _ if value.is_unit() => String::from("nothing"),
        _ if value.is_array() => String::from("a list"),
        _ if value.is_map() => String::from("a table"),
        _ => format!("a {}", value.type_name()),
    }
}

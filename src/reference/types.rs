//! JSON schemas in the notation of the Lua type checkers, and one class name for each named type of the registry.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value};

use super::parts::flow;

pub type Definition = Map<String, Value>;

/// A field of a class.
#[derive(Debug, Clone)]
pub struct ClassField {
    pub name: String,
    pub optional: bool,
    pub kind: String,
    pub doc: String,
}

/// A named type.
#[derive(Debug, Clone)]
pub struct Class {
    pub name: String,
    pub doc: String,
    pub body: Body,
}

#[derive(Debug, Clone)]
pub enum Body {
    Fields(Vec<ClassField>),
    Alias(String),
}

/// Writes a schema as a type; `refer` names what the schema refers to.
pub fn lua_type(schema: &Value, refer: &mut dyn FnMut(&str) -> String) -> String {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        return refer(reference.rsplit('/').next().unwrap_or_default());
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return union(words.iter().map(literal));
    }
    if let Some(word) = schema.get("const") {
        return literal(word);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(several) = schema.get(key).and_then(Value::as_array) {
            return union(several.iter().map(|s| lua_type(s, refer)));
        }
    }
    if let Some(first) = schema.get("allOf").and_then(Value::as_array).and_then(|all| all.first()) {
        return lua_type(first, refer);
    }
    match schema.get("type") {
        Some(Value::String(name)) => simple(name, schema, refer),
        Some(Value::Array(names)) => {
            union(names.iter().filter_map(Value::as_str).map(|n| simple(n, schema, refer)))
        }
        _ => String::from("any"),
    }
}

fn simple(name: &str, schema: &Value, refer: &mut dyn FnMut(&str) -> String) -> String {
    match name {
        "array" => list(schema, refer),
        "object" => object(schema, refer),
        "null" => String::from("nil"),
        "string" | "number" | "integer" | "boolean" => name.to_owned(),
        _ => String::from("any"),
    }
}

fn list(schema: &Value, refer: &mut dyn FnMut(&str) -> String) -> String {
    if let Some(items) = schema.get("prefixItems").and_then(Value::as_array) {
        let items: Vec<String> = items.iter().map(|s| lua_type(s, refer)).collect();
        return format!("[{}]", items.join(", "));
    }
    let item = schema.get("items").map_or_else(|| String::from("any"), |s| lua_type(s, refer));
    if item.contains(" | ") { format!("({item})[]") } else { format!("{item}[]") }
}

fn object(schema: &Value, refer: &mut dyn FnMut(&str) -> String) -> String {
    let fields = fields(schema, refer);
    if !fields.is_empty() {
        let fields: Vec<String> = fields
            .iter()
            .map(|f| format!("{}{}: {}", key(&f.name), if f.optional { "?" } else { "" }, f.kind))
            .collect();
        return format!("{{ {} }}", fields.join(", "));
    }
    match schema.get("additionalProperties") {
        Some(values @ Value::Object(_)) => format!("table<string, {}>", lua_type(values, refer)),
        _ => String::from("table"),
    }
}

/// The fields of an object schema.
pub fn fields(schema: &Value, refer: &mut dyn FnMut(&str) -> String) -> Vec<ClassField> {
    let required: BTreeSet<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let kind = lua_type(schema, refer);
            let present = kind.strip_suffix(" | nil").map(str::to_owned);
            ClassField {
                optional: present.is_some() || !required.contains(name.as_str()),
                kind: present.unwrap_or(kind),
                doc: flow(text(schema, "description")),
                name: name.clone(),
            }
        })
        .collect()
}

/// A union without repetitions, `nil` last.
fn union(parts: impl Iterator<Item = String>) -> String {
    let mut seen: Vec<String> = Vec::new();
    for part in parts {
        for piece in split_union(&part) {
            if !seen.iter().any(|s| s == piece) {
                seen.push(piece.to_owned());
            }
        }
    }
    if seen.iter().any(|s| s == "any") {
        return String::from("any");
    }
    seen.sort_by_key(|s| s == "nil");
    seen.join(" | ")
}

/// The alternatives at the top level only: those within braces stay together.
fn split_union(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '{' | '(' | '[' | '<' => depth += 1,
            '}' | ')' | ']' | '>' => depth -= 1,
            '|' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => String::from("nil"),
        other => other.to_string(),
    }
}

/// A name as a table key of a type.
pub fn key(name: &str) -> String {
    const KEYWORDS: &[&str] = &[
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
        "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
    ];
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !KEYWORDS.contains(&name);
    if plain { name.to_owned() } else { format!("[\"{name}\"]") }
}

pub fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// All named types met so far, each with its own class name.
#[derive(Default)]
pub struct Types {
    names: HashMap<String, String>,
    taken: HashSet<String>,
    fresh: Vec<Class>,
}

impl Types {
    /// A type of a primitive's result, root schema given; makes the classes that it needs.
    pub fn result(&mut self, path: &str, root: &Value) -> String {
        let empty = Map::new();
        let definitions = root.get("$defs").and_then(Value::as_object).unwrap_or(&empty);
        let is_class = root.get("properties").is_some() && root.get("oneOf").is_none();
        if is_class {
            let title = text(root, "title");
            return self.named(
                path,
                if title.is_empty() { "Result" } else { title },
                root,
                definitions,
                root,
            );
        }
        self.kind(path, root, definitions, root)
    }

    /// A type within a root schema.
    pub fn kind(&mut self, path: &str, schema: &Value, definitions: &Definition, root: &Value) -> String {
        lua_type(schema, &mut |name| self.refer(path, name, definitions, root))
    }

    /// Classes made since the last call.
    pub fn take(&mut self) -> Vec<Class> {
        std::mem::take(&mut self.fresh)
    }

    fn refer(&mut self, path: &str, name: &str, definitions: &Definition, root: &Value) -> String {
        match definitions.get(name) {
            Some(schema) => self.named(path, name, schema, definitions, root),
            None if name == "#" => self.result(path, root),
            None => String::from("any"),
        }
    }

    fn named(
        &mut self,
        path: &str,
        name: &str,
        schema: &Value,
        definitions: &Definition,
        root: &Value,
    ) -> String {
        let identity = format!("{name} {}", identity(schema, definitions));
        if let Some(known) = self.names.get(&identity) {
            return known.clone();
        }
        let module = path.split('.').next().unwrap_or_default();
        let class = [name.to_owned(), format!("{module}.{name}"), format!("{path}.{name}")]
            .into_iter()
            .find(|candidate| !self.taken.contains(candidate))
            .unwrap_or_else(|| format!("{path}.{name}{}", self.taken.len()));
        self.taken.insert(class.clone());
        // Known before its fields are read: a type may refer to itself.
        self.names.insert(identity, class.clone());
        let mut refer = |name: &str| self.refer(path, name, definitions, root);
        let body = if schema.get("properties").is_some() && schema.get("oneOf").is_none() {
            Body::Fields(fields(schema, &mut refer))
        } else {
            Body::Alias(lua_type(schema, &mut refer))
        };
        self.fresh.push(Class { name: class.clone(), doc: flow(text(schema, "description")), body });
        class
    }
}

/// What tells two types of one name apart: their text and that of all they refer to.
fn identity(schema: &Value, definitions: &Definition) -> String {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![schema];
    while let Some(next) = waiting.pop() {
        match next {
            Value::Object(map) => {
                if let Some(name) = map.get("$ref").and_then(Value::as_str) {
                    let name = name.rsplit('/').next().unwrap_or_default();
                    if let Some(target) = definitions.get(name)
                        && reached.insert(name)
                    {
                        waiting.push(target);
                    }
                }
                waiting.extend(map.iter().filter(|(k, _)| *k != "$defs").map(|(_, v)| v));
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    let fields = schema.get("properties").unwrap_or(schema);
    let mut out = fields.to_string();
    for name in reached {
        out.push_str(name);
        out.push_str(&definitions.get(name).map(Value::to_string).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn schemas_become_types() {
        let cases = [
            (json!({"type": "string"}), "string"),
            (json!({"type": ["string", "null"]}), "string | nil"),
            (json!({"type": "array", "items": {"type": ["string", "integer"]}}), "(string | integer)[]"),
            (json!({"enum": ["a", "b"]}), "\"a\" | \"b\""),
            (json!({"oneOf": [{"const": "a"}, {"enum": ["b", "a"]}]}), "\"a\" | \"b\""),
            (json!({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Spec"}]}), "Spec | nil"),
            (
                json!({"type": "object", "additionalProperties": {"type": "integer"}}),
                "table<string, integer>",
            ),
            (
                json!({"type": "object", "required": ["a"], "properties": {
                    "a": {"type": "string"}, "end": {"type": ["string", "integer"]}}}),
                "{ a: string, [\"end\"]?: string | integer }",
            ),
            (
                json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]}),
                "[string, number]",
            ),
            (json!(true), "any"),
        ];
        for (schema, expected) in cases {
            assert_eq!(lua_type(&schema, &mut str::to_owned), expected, "{schema}");
        }
    }

    #[test]
    fn one_name_for_two_types_is_told_apart_and_recursion_ends() {
        let mut types = Types::default();
        let tree = json!({"title": "Node", "type": "object", "properties": {
            "children": {"type": "array", "items": {"$ref": "#"}}}});
        assert_eq!(types.result("a.tree", &tree), "Node");
        assert_eq!(types.result("b.tree", &tree), "Node");
        let other = json!({"title": "Node", "type": "object", "properties": {"name": {"type": "string"}}});
        assert_eq!(types.result("b.other", &other), "b.Node");
        assert_eq!(types.take().len(), 2);
    }
}

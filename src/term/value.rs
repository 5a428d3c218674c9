//! Values for people: a list of like objects is a table, an object is `key: value` lines, a scalar is itself. What
//! differs between locks has lines of its own.

use serde_json::{Map, Value};

use super::diff;
use super::plain::plain_json;
use super::table::table;

/// How values are shown.
#[derive(Debug, Clone, Copy, Default)]
pub struct Form {
    /// Of the terminal; none when they go to a file or a pipe.
    pub width: Option<u16>,
    pub colour: bool,
    /// Nothing is folded.
    pub all: bool,
}

/// The text of a value, without a line break at its end.
pub fn pretty(value: &Value, form: Form) -> String {
    drawn(&plain_json(value), form)
}

fn drawn(value: &Value, form: Form) -> String {
    match value {
        Value::Null => String::new(),
        Value::Array(items) if items.is_empty() => String::from("(empty)"),
        Value::Array(items) => diff::lines(items, form.all, form.colour).unwrap_or_else(|| list(items, form)),
        Value::Object(map) if map.is_empty() => String::from("(empty)"),
        Value::Object(map) => lines(map, form, 0),
        scalar => cell(scalar),
    }
}

fn list(items: &[Value], form: Form) -> String {
    match headers(items) {
        Some(headers) => rows(&headers, items, form),
        None => items.iter().map(cell).collect::<Vec<_>>().join("\n"),
    }
}

/// The columns of a list of objects: every key that any of them has, in the order met, what a row is called first.
fn headers(items: &[Value]) -> Option<Vec<String>> {
    let mut headers: Vec<String> = Vec::new();
    for item in items {
        for key in item.as_object()?.keys() {
            if !headers.contains(key) {
                headers.push(key.clone());
            }
        }
    }
    if let Some(at) = headers.iter().position(|h| h == "name") {
        headers[..=at].rotate_right(1);
    }
    (!headers.is_empty()).then_some(headers)
}

fn rows(headers: &[String], items: &[Value], form: Form) -> String {
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| headers.iter().map(|h| item.get(h).map(cell).unwrap_or_default()).collect())
        .collect();
    table(headers, &rows, form.width, form.colour)
}

fn lines(map: &Map<String, Value>, form: Form, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let longest = map.keys().map(|k| k.chars().count()).max().unwrap_or_default();
    let mut out = Vec::new();
    for (key, value) in map {
        let gap = " ".repeat(longest - key.chars().count());
        match value {
            Value::Array(items) if headers(items).is_some() => {
                let inner = drawn(value, Form { width: form.width.map(|w| w.saturating_sub(2)), ..form });
                out.push(format!("{indent}{key}:"));
                out.extend(inner.lines().map(|l| format!("{indent}  {l}")));
            }
            Value::Object(inner) if !inner.is_empty() && depth < 4 => {
                out.push(format!("{indent}{key}:"));
                out.push(lines(inner, form, depth + 1));
            }
            Value::String(text) if text.contains('\n') => {
                out.push(format!("{indent}{key}:"));
                out.extend(text.lines().map(|l| format!("{indent}  {l}")));
            }
            _ => out.push(format!("{indent}{key}:{gap} {}", cell(value)).trim_end().to_owned()),
        }
    }
    out.join("\n")
}

/// A value within one line.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => String::from("yes"),
        Value::Bool(false) => String::from("no"),
        Value::Number(number) => number.to_string(),
        Value::Array(items) if items.iter().all(|i| !i.is_array() && !i.is_object()) => {
            items.iter().map(cell).collect::<Vec<_>>().join(", ")
        }
        Value::Object(map) if map.values().all(|v| !v.is_array() && !v.is_object()) => {
            map.iter().map(|(k, v)| format!("{k}={}", cell(v))).collect::<Vec<_>>().join(" ")
        }
        nested => nested.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shapes() {
        let cases = [
            (json!("text"), "text"),
            (json!(3), "3"),
            (json!(null), ""),
            (json!([]), "(empty)"),
            (json!(["a", 1, true]), "a\n1\nyes"),
            (
                json!([{"name": "zlib", "n": 1}, {"name": "hdf5", "new": ["a", "b"]}]),
                "name  n  new\nzlib  1\nhdf5     a, b",
            ),
            (json!({"name": "zlib", "on": {"a": 1}, "k": "x\ny"}), "name: zlib\non:\n  a: 1\nk:\n  x\n  y"),
            (json!({"list": [{"a": 1}], "longer": false}), "list:\n  a\n  1\nlonger: no"),
        ];
        for (value, expected) in cases {
            assert_eq!(pretty(&value, Form::default()), expected, "{value}");
        }
    }
}

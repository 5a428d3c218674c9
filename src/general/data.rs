//! `json`, `yaml`, `toml`: data formats. A null becomes `nil`, so a list with nulls has gaps in Lua. Names are
//! written in sorted order, because Lua tables have none.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::base::argument::Plain;
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;

/// Writes a value as JSON. An empty table is written `{}` unless it came from a primitive or `json.list`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct JsonEncodeArgs {
    /// The value.
    value: Plain,
    /// Several lines, indented.
    #[serde(default)]
    pretty: bool,
}

pub async fn json_encode(_cx: Cx, args: JsonEncodeArgs) -> Result<String> {
    let text = if args.pretty {
        serde_json::to_string_pretty(&args.value)
    } else {
        serde_json::to_string(&args.value)
    };
    text.map_err(|e| Trouble::usage(format!("cannot be written as JSON: {e}")))
}

/// Reads JSON. A null becomes `nil`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DecodeArgs {
    /// The text.
    text: String,
}

pub async fn json_decode(_cx: Cx, args: DecodeArgs) -> Result<Plain> {
    serde_json::from_str(&args.text).map(Plain).map_err(|e| {
        let message = e.to_string();
        let what = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
        wrong("JSON", what, Some((e.line(), e.column())))
    })
}

/// Marks a table as a list, so that it is written `[]` as JSON also when it is empty.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct JsonListArgs {
    /// The list.
    items: Vec<Plain>,
}

pub async fn json_list(_cx: Cx, args: JsonListArgs) -> Result<Vec<Plain>> {
    Ok(args.items)
}

/// Reads one YAML document. A null becomes `nil`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct YamlDecodeArgs {
    /// The text.
    text: String,
}

pub async fn yaml_decode(_cx: Cx, args: YamlDecodeArgs) -> Result<Plain> {
    serde_saphyr::from_str::<Value>(&args.text).map(Plain).map_err(|e| {
        let place = e.location().map(|l| (l.line() as usize, l.column() as usize));
        let message = e.to_string();
        let first = message.lines().next().unwrap_or_default();
        wrong("YAML", first.strip_prefix("error: ").unwrap_or(first), place)
    })
}

/// Writes a table as TOML.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TomlEncodeArgs {
    /// The table.
    value: Plain,
}

pub async fn toml_encode(_cx: Cx, args: TomlEncodeArgs) -> Result<String> {
    if !args.value.0.is_object() {
        return Err(Trouble::usage("a TOML document is a table with names"));
    }
    toml::to_string_pretty(&args.value.0)
        .map_err(|e| Trouble::usage(format!("cannot be written as TOML: {e}")))
}

/// Reads TOML. Dates become text.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct TomlDecodeArgs {
    /// The text.
    text: String,
}

pub async fn toml_decode(_cx: Cx, args: TomlDecodeArgs) -> Result<Plain> {
    let table: toml::Table = args.text.parse().map_err(|e: toml::de::Error| {
        let place = e.span().map(|span| line_and_column(&args.text, span.start));
        wrong("TOML", e.message(), place)
    })?;
    Ok(Plain(plain(toml::Value::Table(table))))
}

fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(plain).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(k, v)| (k, plain(v))).collect(),
    }
}

fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

fn wrong(format: &str, what: &str, place: Option<(usize, usize)>) -> Trouble {
    // All three readers stop where following the text further would take the whole stack or all memory.
    let (kind, begin, what) = if what.contains("recurs") {
        (Kind::Limit, "this cannot be read as", "it is nested too deep")
    } else if what.contains("budget") {
        (Kind::Limit, "this cannot be read as", "it is too large when its aliases are followed")
    } else {
        (Kind::Corrupt, "not", what)
    };
    let begin = format!("{begin} {format}");
    let Some((line, column)) = place else {
        return Trouble::new(kind, format!("{begin}: {what}"));
    };
    Trouble::new(kind, format!("{begin}: line {line}, column {column}: {what}"))
        .fact("line", line)
        .fact("column", column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_dates_become_text_and_places_are_counted_in_characters() {
        let table: toml::Table = "a = 2020-01-02\nb = [1, 2.5, { c = true }]".parse().unwrap();
        let value = plain(toml::Value::Table(table));
        assert_eq!(value.to_string(), r#"{"a":"2020-01-02","b":[1,2.5,{"c":true}]}"#);
        assert_eq!(line_and_column("a\nä = ?", 7), (2, 5));
    }
}

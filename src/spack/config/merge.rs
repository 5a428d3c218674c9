//! How two scopes of configuration become one, as Spack does it: mappings merge, the higher scope's keys and
//! list items come first, equal items are dropped, anything else is replaced. Every value keeps the mark
//! of the file that it came from.

use std::collections::{HashMap, HashSet};

use crate::spack::text::yaml::{Key, Mode, Value, Yaml};

/// Lays `source` (the higher scope) over `dest`.
pub fn merge(dest: Yaml, source: Yaml, mode: Mode) -> Yaml {
    let mark = source.mark;
    match (dest.value, source.value) {
        (Value::List(dest), Value::List(source)) => {
            let rest = dest.into_iter().filter(|old| !source.iter().any(|new| same(old, new)));
            let value = if mode == Mode::Append {
                let mut all: Vec<Yaml> = rest.collect();
                all.extend(source);
                all
            } else {
                let rest: Vec<Yaml> = rest.collect();
                source.into_iter().chain(rest).collect()
            };
            Yaml::new(Value::List(value), mark)
        }
        (Value::Map(dest), Value::Map(source)) => Yaml::new(Value::Map(merge_maps(dest, source)), mark),
        (Value::Text(dest), Value::Text(source)) => {
            let text = match mode {
                Mode::Prepend => source + dest.as_str(),
                Mode::Append => dest + source.as_str(),
                _ => source,
            };
            Yaml::new(Value::Text(text), mark)
        }
        (_, source) => Yaml::new(source, mark),
    }
}

fn merge_maps(dest: Vec<(Key, Yaml)>, source: Vec<(Key, Yaml)>) -> Vec<(Key, Yaml)> {
    let mut old: HashMap<String, Yaml> = HashMap::new();
    let wanted: HashSet<&str> = source.iter().map(|(k, _)| k.name.as_str()).collect();
    let mut rest = Vec::new();
    for (key, value) in dest {
        if wanted.contains(key.name.as_str()) {
            old.insert(key.name, value);
        } else {
            rest.push((key, value));
        }
    }
    let mut out: Vec<(Key, Yaml)> = source
        .into_iter()
        .map(|(key, value)| {
            let value = match old.remove(&key.name) {
                Some(before) if key.mode != Mode::Override => merge(before, value, key.mode),
                _ => value,
            };
            (key, value)
        })
        .collect();
    out.extend(rest);
    out
}

/// Equality as Python sees it: `1`, `1.0` and `true` are one value; the order of a mapping does not count.
pub fn same(a: &Yaml, b: &Yaml) -> bool {
    match (&a.value, &b.value) {
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(x, y)| same(x, y)),
        (Value::Map(x), Value::Map(y)) => {
            x.len() == y.len() && x.iter().all(|(k, v)| b.get(&k.name).is_some_and(|other| same(v, other)))
        }
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Null, Value::Null) => true,
        (x, y) => matches!((number(x), number(y)), (Some(x), Some(y)) if x.total_cmp(&y).is_eq()),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        Value::Int(i) => Some(*i as f64),
        Value::Float(f) => Some(*f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::text::yaml::parse_named;

    fn merged(low: &str, high: &str) -> String {
        let read = |text, name| parse_named(text, name).unwrap();
        merge(read(low, "low"), read(high, "high"), Mode::Merge).to_json().to_string()
    }

    #[test]
    fn the_rules() {
        let cases = [
            ("{a: 1, b: 2}", "{b: 3, c: 4}", r#"{"b":3,"c":4,"a":1}"#),
            ("[x, y]", "[z, y]", r#"["z","y","x"]"#),
            ("[1, 2]", "[true]", "[true,2]"),
            ("[{a: 1, b: 2}]", "[{b: 2, a: 1}]", r#"[{"b":2,"a":1}]"#),
            ("{a: {x: 1}}", "{a:: {y: 2}}", r#"{"a":{"y":2}}"#),
            ("{a: {x: 1}}", "{a: }", r#"{"a":null}"#),
            ("{a: [1]}", "{a: text}", r#"{"a":"text"}"#),
            ("{a: {x: 1}}", "{a: {}}", r#"{"a":{"x":1}}"#),
            ("{a: {x: 1}}", "{a:: {}}", r#"{"a":{}}"#),
        ];
        for (low, high, expected) in cases {
            assert_eq!(merged(low, high), expected, "{low} under {high}");
        }
    }

    #[test]
    fn each_value_knows_its_file() {
        let low = parse_named("{a: {x: 1, y: 2}}", "low").unwrap();
        let high = parse_named("{a: {x: 3}}", "high").unwrap();
        let out = merge(low, high, Mode::Merge);
        let a = out.get("a").unwrap();
        assert_eq!(&*a.get("x").unwrap().mark.file, "high");
        assert_eq!(&*a.get("y").unwrap().mark.file, "low");
    }

    #[test]
    fn joins_of_the_command_line() {
        let text = |t: &str| parse_named(t, "x").unwrap();
        assert_eq!(merge(text("b"), text("a"), Mode::Prepend).text(), Some("ab"));
        assert_eq!(merge(text("b"), text("a"), Mode::Append).text(), Some("ba"));
        assert_eq!(merge(text("[b]"), text("[a]"), Mode::Append).texts(), ["b", "a"]);
    }
}

//! `config`: the effective site configuration and where each value came from.

use serde_json::{Map, Value, json};

use crate::base::{Kind, Result, Trouble};
use crate::cli::session::Session;

pub fn show(session: &Session) -> Result<u8> {
    let site = &session.cx.site;
    let config = serde_json::to_value(&site.loaded.config)
        .map_err(|e| Trouble::new(Kind::Internal, format!("the configuration cannot be written: {e}")))?;
    let mut rows = Vec::new();
    flatten("", &config, &mut rows);
    let mut values = Map::new();
    for (key, value) in rows {
        // A reference to a secret is one value in several words.
        let whole = || key.rsplit_once('.').and_then(|(parent, _)| site.loaded.origins.get(parent));
        let origin = site.loaded.origins.get(&key).or_else(whole).cloned();
        let (value, origin) = match key.as_str() {
            "state" => {
                let origin = if std::env::var_os("MOONSTACK_STATE").is_some_and(|v| !v.is_empty()) {
                    Some(String::from("MOONSTACK_STATE"))
                } else {
                    origin
                };
                (Value::from(site.state.display().to_string()), origin)
            }
            "spack" if site.spack.is_some() => (
                Value::from(site.spack.as_ref().map(|p| p.display().to_string())),
                Some(String::from("--spack")),
            ),
            _ => (value, origin),
        };
        values.insert(
            key,
            json!({ "value": value, "origin": origin.unwrap_or_else(|| String::from("default")) }),
        );
    }
    session.printer.give(&Value::Object(values))?;
    Ok(0)
}

fn flatten(prefix: &str, value: &Value, rows: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                let dotted = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&dotted, value, rows);
            }
        }
        value => rows.push((prefix.to_owned(), value.clone())),
    }
}

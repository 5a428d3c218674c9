//! A snapshot in YAML, for documentation: what people ask of it, in an order to be read. Nothing reads it back.

use serde_json::{Value, json};

use crate::base::{Kind, Result, Trouble};
use crate::snapshot::record::configuration::ConfigurationFile;
use crate::snapshot::record::state::HashState;
use crate::snapshot::store::archive::Archive;
use crate::snapshot::store::index::StoredSnapshot;
use crate::spack::lock::contents::LockContents;
use crate::spack::lock::lockfile::LockfileText;

/// How each begins.
pub const HEAD: &[u8] = b"# A snapshot of a Spack environment, described for people.";

pub fn yaml(kept: &StoredSnapshot, archive: &Archive) -> Result<Vec<u8>> {
    let mut out = HEAD.to_vec();
    out.extend_from_slice(
        b" This file cannot be imported:\n# `moonstack snapshot export` without `--yaml` writes one that can.\n",
    );
    let mut text = String::new();
    block(&content(kept, archive)?, 0, &mut text);
    out.extend_from_slice(text.as_bytes());
    Ok(out)
}

fn content(kept: &StoredSnapshot, archive: &Archive) -> Result<Value> {
    let snapshot = &kept.snapshot;
    let part = |id: &str| archive.objects.get(id).map_or(&[][..], Vec::as_slice);
    let wrong = |e: serde_json::Error| {
        Trouble::new(Kind::Corrupt, format!("a part of snapshot {} cannot be read: {e}", snapshot.title()))
    };
    let mut states: Vec<HashState> = serde_json::from_slice(part(&snapshot.state)).map_err(wrong)?;
    states.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
    let files: Vec<ConfigurationFile> =
        serde_json::from_slice(part(&snapshot.configuration)).map_err(wrong)?;
    let text = LockfileText::from_bytes(&snapshot.lock.path, part(&snapshot.lock.object).to_vec())?;
    let lock = LockContents::of(&text.parse()?)?;
    let roots: Vec<Value> =
        lock.all_roots().map(|root| json!({ "spec": root.spec, "hash": root.hash })).collect();
    Ok(json!({
        "snapshot": snapshot.title(),
        "id": kept.id,
        "environment": snapshot.env,
        "created": snapshot.created,
        "user": snapshot.user,
        "host": snapshot.host,
        "description": snapshot.description,
        "tags": kept.marks.tags,
        "spack": snapshot.spack,
        "store": snapshot.store,
        "repositories": snapshot.repositories,
        "roots": roots,
        "specs": states.iter().map(spec).collect::<Vec<_>>(),
        "configuration": files.iter().map(|file| json!(file.path)).collect::<Vec<_>>(),
    }))
}

fn spec(state: &HashState) -> Value {
    let how = match (state.external, state.installed) {
        (true, _) => "external",
        (_, true) => "installed",
        (_, false) => "missing",
    };
    let mut out = json!({
        "name": state.name, "version": state.version, "hash": state.hash, "state": how,
        "explicit": state.explicit,
    });
    if let (Some(prefix), Some(map)) = (&state.prefix, out.as_object_mut()) {
        map.insert("prefix".to_owned(), json!(prefix));
    }
    out
}

/// A table or list in block style. A list's entries stand under its name, each table beginning behind its dash.
fn block(value: &Value, depth: usize, out: &mut String) {
    let lead = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            // What nobody recorded is left out.
            for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
                out.push_str(&format!("{lead}{key}:"));
                below(value, depth + 1, out);
            }
        }
        Value::Array(list) => {
            for value in list {
                let mut inner = String::new();
                block(value, depth + 1, &mut inner);
                // The first line of the entry moves behind the dash.
                out.push_str(&format!("{lead}- {}", inner.trim_start()));
            }
        }
        other => out.push_str(&format!("{lead}{}\n", scalar(other))),
    }
}

fn below(value: &Value, depth: usize, out: &mut String) {
    let empty = value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty);
    match value {
        Value::Object(_) | Value::Array(_) if !empty => {
            out.push('\n');
            block(value, depth, out);
        }
        Value::Array(_) => out.push_str(" []\n"),
        Value::Object(_) => out.push_str(" {}\n"),
        other => out.push_str(&format!(" {}\n", scalar(other))),
    }
}

/// Plain where every reader of YAML takes it as the same text; else as JSON, which YAML includes. A hash of digits and
/// one `e` would be a number.
fn scalar(value: &Value) -> String {
    let Value::String(text) = value else { return value.to_string() };
    let safe = |c: char| c.is_ascii_alphanumeric() || "/_.+-@=~%^ ".contains(c);
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(safe)
        && !text.ends_with(' ')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    if plain { text.clone() } else { Value::from(text.as_str()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let value = json!({
            "name": "science", "odd": "a: b # c", "no": "no", "version": "1.10", "digits": "12e4567",
            "line": "two\nlines", "empty": "", "list": ["x", "1.0", "- y"], "none": [], "flag": true,
            "tables": [{ "a": "1", "b": ["c"] }, { "a": "z" }], "within": { "path": "/opt/x", "deep": { "k": 1 } },
        });
        let mut text = String::new();
        block(&value, 0, &mut text);
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, value, "{text}");
    }
}

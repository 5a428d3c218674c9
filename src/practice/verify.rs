//! `spack verify manifest`: a prefix against its manifest. As Spack does, it stops at the first package with
//! findings.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::{Map, Value};

use super::build::{METADATA, content_hash, manifest, seconds};
use super::halt::Halt;
use super::query;
use super::record::Node;
use super::session::{Options, Session};

pub fn verify(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let arguments = match arguments.split_first() {
        Some((word, rest)) if word == "manifest" => rest,
        Some((word, _)) if word == "libraries" => {
            let count = session.store.read()?.0.values().filter(|r| r.installed).count();
            session.say(&format!("==> Checking {count} packages for shared libraries"))?;
            return Ok(0);
        }
        _ => arguments,
    };
    let declared =
        [(&["-j", "--json"] as &[_], false), (&["-a", "--all"], false), (&["-l", "--local"], false)];
    let options = Options::read(arguments, &declared)?;
    let records = session.store.read()?;
    let nodes = records.nodes();
    let mut chosen: Vec<Node> = Vec::new();
    if options.has("--all") {
        chosen.extend(records.0.values().filter(|r| r.installed).map(|r| r.spec.clone()));
    }
    for spec in query::parse(&options.words)? {
        let found: Vec<&Node> = records
            .0
            .values()
            .filter(|r| r.installed)
            .map(|r| &r.spec)
            .filter(|n| query::matches(n, &spec, &nodes))
            .collect();
        match found.as_slice() {
            [one] => chosen.push((*one).clone()),
            [] => return Err(Halt::failed(format!("Spec '{spec}' matches no installed packages."))),
            _ => return Err(Halt::failed(format!("{spec} matches multiple packages."))),
        }
    }
    for node in &chosen {
        let findings = compare(&session.store.prefix(node))?;
        if findings.is_empty() {
            continue;
        }
        if options.has("--json") {
            session.say(&Value::Object(findings).to_string())?;
        } else {
            print(session, node, &findings)?;
        }
        return Ok(1);
    }
    Ok(0)
}

fn print(session: &mut Session<'_, '_>, node: &Node, findings: &Map<String, Value>) -> Result<(), Halt> {
    session.say(&format!("==> In package {}/{}", node.name, node.short()))?;
    for (path, kinds) in findings {
        session.say(&format!("{path} verification failed with error(s):"))?;
        for kind in kinds.as_array().into_iter().flatten().filter_map(Value::as_str) {
            session.say(&format!("    {kind}"))?;
        }
    }
    session.say("")
}

/// What differs, by path.
fn compare(prefix: &Path) -> Result<Map<String, Value>, Halt> {
    let mut whole = Map::new();
    let path = prefix.join(METADATA).join("install_manifest.json");
    let Ok(text) = std::fs::read(path) else {
        // Spack says so of externals too.
        whole.insert(prefix.to_string_lossy().into_owned(), Value::from(vec!["manifest missing"]));
        return Ok(whole);
    };
    let Ok(recorded) = serde_json::from_slice::<Map<String, Value>>(&text) else {
        whole.insert(prefix.to_string_lossy().into_owned(), Value::from(vec!["manifest corrupted"]));
        return Ok(whole);
    };
    let mut found = Map::new();
    for path in manifest(prefix)?.keys().filter(|p| !recorded.contains_key(*p)) {
        found.insert(path.clone(), Value::from(vec!["added"]));
    }
    for (path, row) in &recorded {
        let kinds = differences(Path::new(path), row)?;
        if !kinds.is_empty() {
            found.insert(path.clone(), Value::from(kinds));
        }
    }
    Ok(found)
}

fn differences(path: &Path, row: &Value) -> Result<Vec<&'static str>, Halt> {
    let Ok(meta) = std::fs::symlink_metadata(path) else {
        return Ok(vec!["deleted"]);
    };
    let number = |name: &str| row.get(name).and_then(Value::as_u64);
    let mut kinds = Vec::new();
    for (name, now) in [("mode", meta.mode()), ("owner", meta.uid()), ("group", meta.gid())] {
        if number(name).is_some_and(|was| was != u64::from(now)) {
            kinds.push(name);
        }
    }
    if let Some(dest) = row.get("dest").and_then(Value::as_str)
        && std::fs::read_link(path).ok().as_deref() != Some(Path::new(dest))
    {
        kinds.push("link");
    }
    let Some(hash) = row.get("hash").and_then(Value::as_str) else { return Ok(kinds) };
    if number("size") != Some(meta.size()) {
        kinds.push("size");
    }
    let time = seconds(&meta);
    if row.get("time").and_then(Value::as_f64).is_some_and(|was| (was - time).abs() > 1e-3) {
        kinds.push("mtime");
    }
    if meta.is_file() && content_hash(path)? != hash {
        kinds.push("hash");
    }
    Ok(kinds)
}

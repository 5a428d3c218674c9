//! `spack verify manifest`: a prefix against its manifest. As Spack does, it stops at the first package with
//! findings.

use std::path::Path;

use serde_json::{Map, Value};

use crate::base::Kind;
use crate::practice::model::halt::Halt;
use crate::practice::model::query;
use crate::practice::model::record::Node;
use crate::practice::session::{Options, Session};
use crate::spack::store::prefix_manifest;
use crate::world::fs::eyes::LiveEyes;

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
    // Spack says so of externals too.
    let whole = |why: &str| (prefix.to_string_lossy().into_owned(), Value::from(vec![why]));
    match prefix_manifest::compare(&LiveEyes, prefix) {
        Ok(Some(found)) => Ok(found.into_iter().map(|(path, kinds)| (path, kinds.into())).collect()),
        Ok(None) => Ok(Map::from_iter([whole("manifest missing")])),
        Err(trouble) if trouble.is(Kind::Corrupt) => Ok(Map::from_iter([whole("manifest corrupted")])),
        Err(trouble) => Err(trouble.into()),
    }
}

//! `spack spec`, and how the specs of a command line become concrete for every verb that needs it: by hash from what
//! is known, from a spec file, or through the solver.

use std::path::Path;

use serde_json::Value;

use crate::practice::model::format;
use crate::practice::model::halt::Halt;
use crate::practice::model::query;
use crate::practice::model::record::{Node, Nodes, spec_file};
use crate::practice::session::{Declared, Options, Session};
use crate::practice::solve::Solution;
use crate::spack::spec::Spec;

const DECLARED: &[Declared] = &[
    (&["-j", "--json"], false),
    (&["-y", "--yaml"], false),
    (&["-l", "--long"], false),
    (&["-L", "--very-long"], false),
    (&["-I", "--install-status"], false),
    (&["--no-install-status"], false),
    (&["-N", "--namespaces"], false),
    (&["-t", "--types"], false),
    (&["-U", "--fresh"], false),
    (&["--reuse"], false),
    (&["--fresh-roots"], false),
    (&["--deprecated"], false),
    (&["--format"], true),
    (&["-c", "--cover"], true),
];

pub fn spec(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let options = Options::read(arguments, DECLARED)?;
    let solution = if options.words.is_empty() {
        let lock = session.active("spec")?.lock()?;
        Solution { roots: lock.roots.iter().map(|r| r.hash.clone()).collect(), nodes: lock.nodes }
    } else {
        concrete(session, &options.words)?
    };
    let records = session.store.read()?;
    for root in &solution.roots {
        let Some(node) = solution.nodes.get(root) else { continue };
        if options.has("--json") {
            session.say(&spec_file(&solution.nodes, root).to_string())?;
        } else if options.has("--yaml") {
            let text = crate::practice::config::to_yaml(&spec_file(&solution.nodes, root), 0);
            write!(session.streams.out, "{text}")?;
        } else if let Some(pattern) = options.value("--format") {
            let prefix = session.store.prefix(node);
            let text = format::fill(pattern, node, &solution.nodes, &prefix.to_string_lossy())
                .map_err(Halt::failed)?;
            session.say(&text)?;
        } else {
            for line in tree(&solution.nodes, root, &records) {
                session.say(&line)?;
            }
            session.say("")?;
        }
    }
    Ok(0)
}

/// `[+]`, `[e]`, ` - `, or `[-]` for a record that is not installed.
pub fn status(node: &Node, records: &crate::practice::store::Records) -> &'static str {
    match records.0.get(&node.hash) {
        _ if node.external.is_some() => "[e]",
        Some(record) if record.installed => "[+]",
        Some(_) => "[-]",
        None => " - ",
    }
}

/// The spec and everything below it, each once, with status and short hash.
pub fn tree(nodes: &Nodes, root: &str, records: &crate::practice::store::Records) -> Vec<String> {
    fn visit(
        nodes: &Nodes,
        hash: &str,
        depth: usize,
        seen: &mut Vec<String>,
        records: &crate::practice::store::Records,
        out: &mut Vec<String>,
    ) {
        let Some(node) = nodes.get(hash).filter(|_| !seen.iter().any(|s| s == hash)) else { return };
        seen.push(hash.to_owned());
        let caret = if depth == 0 { "" } else { "^" };
        let pad = " ".repeat(depth * 4);
        out.push(format!(
            "{}  {}  {pad}{caret}{}",
            status(node, records),
            node.short(),
            format::display(node, nodes)
        ));
        for edge in &node.dependencies {
            visit(nodes, &edge.hash, depth + 1, seen, records, out);
        }
    }
    let mut out = Vec::new();
    visit(nodes, root, 0, &mut Vec::new(), records, &mut out);
    out
}

/// Makes the words concrete; requests without a hash are solved together.
pub fn concrete(session: &Session<'_, '_>, words: &[String]) -> Result<Solution, Halt> {
    let mut solution = Solution::default();
    let (files, words): (Vec<String>, Vec<String>) = words.iter().cloned().partition(|w| is_spec_file(w));
    for file in &files {
        let root = read_spec_file(Path::new(file), &mut solution.nodes)?;
        solution.roots.push(root);
    }
    let specs = query::parse(&words)?;
    let (known, open): (Vec<Spec>, Vec<Spec>) = specs.into_iter().partition(|s| s.hash.is_some());
    if !known.is_empty() {
        let nodes = session.known_nodes()?;
        for spec in known {
            let node = by_hash(&spec, &nodes)?;
            solution.roots.push(node.hash.clone());
        }
        solution.nodes.extend(nodes);
    }
    if !open.is_empty() {
        let solved = session.solve(&open)?;
        solution.roots.extend(solved.roots);
        solution.nodes.extend(solved.nodes);
    }
    Ok(solution)
}

fn is_spec_file(word: &str) -> bool {
    word.contains('/') && Path::new(word).extension().is_some_and(|e| e == "json" || e == "yaml")
}

fn read_spec_file(path: &Path, nodes: &mut Nodes) -> Result<String, Halt> {
    let text = std::fs::read(path).map_err(|e| Halt::internal(format!("{e}: '{}'", path.display())))?;
    let damaged = |e: serde_json::Error| Halt::failed(format!("{}: {e}", path.display()));
    let file: Value = serde_json::from_slice(&text).map_err(damaged)?;
    let list = file.pointer("/spec/nodes").cloned().unwrap_or_default();
    let list: Vec<Node> = serde_json::from_value(list).map_err(damaged)?;
    let root = list.first().map(|n| n.hash.clone());
    nodes.extend(list.into_iter().map(|n| (n.hash.clone(), n)));
    root.ok_or_else(|| Halt::failed(format!("{} holds no spec", path.display())))
}

fn by_hash<'n>(spec: &Spec, nodes: &'n Nodes) -> Result<&'n Node, Halt> {
    let wanted = spec.hash.as_deref().unwrap_or_default();
    let found: Vec<&Node> = nodes.values().filter(|n| query::matches(n, spec, nodes)).collect();
    match found.as_slice() {
        [one] => Ok(one),
        [] => Err(Halt::failed(format!(
            "No spec with hash {wanted} could be found to match {spec}. Either the hash does not exist, or it does not match other spec constraints."
        ))),
        _ => Err(Halt::failed(format!("Multiple matches for hash {wanted}"))),
    }
}

//! `spack find`, and `dependencies` and `dependents` of installed packages.

use std::collections::BTreeSet;

use super::spec::status;
use crate::practice::env::environment::Environment;
use crate::practice::model::format;
use crate::practice::model::halt::Halt;
use crate::practice::model::query;
use crate::practice::model::record::{ALL_TYPES, Node, Nodes, closure};
use crate::practice::session::{Declared, Options, Session};
use crate::practice::store::{Records, Store};

const DECLARED: &[Declared] = &[
    (&["--json"], false),
    (&["-H", "--hashes"], false),
    (&["-l", "--long"], false),
    (&["-L", "--very-long"], false),
    (&["-p", "--paths"], false),
    (&["-d", "--deps"], false),
    (&["-v", "--variants"], false),
    (&["-f", "--show-flags"], false),
    (&["-N", "--namespaces"], false),
    (&["--no-groups"], false),
    (&["--groups"], false),
    (&["-x", "--explicit"], false),
    (&["-X", "--implicit"], false),
    (&["-e", "--external"], false),
    (&["-m", "--missing"], false),
    (&["-M", "--only-missing"], false),
    (&["-u", "--unknown"], false),
    (&["-c", "--show-concretized"], false),
    (&["-r", "--only-roots"], false),
    (&["-I", "--install-status"], false),
    (&["--deprecated"], false),
    (&["--only-deprecated"], false),
    (&["--loaded"], false),
    (&["--format"], true),
];

pub fn find(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let options = Options::read(arguments, DECLARED)?;
    let records = session.store.read()?;
    let environment = session.environment.clone();
    let mut nodes = records.nodes();
    let mut scope: Option<BTreeSet<String>> = None;
    if let Some(environment) = &environment {
        let lock = environment.lock()?;
        let roots = lock.roots.iter().map(|r| r.hash.clone());
        let types = ALL_TYPES;
        scope = Some(closure(&lock.nodes, roots, types));
        nodes.extend(lock.nodes);
    }
    let chosen = choose(&options, &records, &nodes, scope.as_ref())?;
    let queried = !options.words.is_empty();
    if queried && chosen.is_empty() {
        return Err(Halt::failed(format!("No package matches the query: {}", options.words.join(" "))));
    }
    if options.has("--json") {
        let mut list = chosen;
        list.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
        let text = serde_json::to_string(&list).unwrap_or_default();
        write!(session.streams.out, "{text}")?;
        return Ok(0);
    }
    if let Some(pattern) = options.value("--format") {
        let mut list = chosen;
        list.sort_by(|a, b| (&a.name, &a.version, &a.hash).cmp(&(&b.name, &b.version, &b.hash)));
        for node in list {
            let line = format::fill(pattern, node, &nodes, &prefix(&session.store, &records, node))
                .map_err(Halt::failed)?;
            session.say(&line)?;
        }
        return Ok(0);
    }
    if let Some(environment) = &environment {
        heading(session, environment, &records, &nodes, &options)?;
    }
    list(session, &chosen, &nodes, &records, &options)?;
    Ok(0)
}

fn choose<'n>(
    options: &Options,
    records: &Records,
    nodes: &'n Nodes,
    scope: Option<&BTreeSet<String>>,
) -> Result<Vec<&'n Node>, Halt> {
    let specs = query::parse(&options.words)?;
    let wanted = |node: &&Node| {
        let record = records.0.get(&node.hash);
        let installed = record.is_some_and(|r| r.installed);
        let explicit = record.is_some_and(|r| r.explicit);
        let present = if options.has("--only-missing") {
            record.is_some() && !installed
        } else if options.has("--show-concretized") && scope.is_some() {
            true
        } else {
            installed || options.has("--missing") && record.is_some()
        };
        present
            && scope.is_none_or(|s| s.contains(&node.hash))
            && (!options.has("--explicit") || explicit)
            && (!options.has("--implicit") || !explicit)
            && (!options.has("--external") || node.external.is_some())
            && !options.has("--loaded")
            && (specs.is_empty() || specs.iter().any(|s| query::matches(node, s, nodes)))
    };
    Ok(nodes.values().filter(wanted).collect())
}

fn prefix(store: &Store, records: &Records, node: &Node) -> String {
    let recorded = records.0.get(&node.hash).and_then(|r| r.path.clone());
    recorded.unwrap_or_else(|| store.prefix(node).to_string_lossy().into_owned())
}

/// What stands above the listing of an environment: its roots as the manifest has them.
fn heading(
    session: &mut Session<'_, '_>,
    environment: &Environment,
    records: &Records,
    nodes: &Nodes,
    options: &Options,
) -> Result<(), Halt> {
    session.say(&format!("==> In environment {}", environment.name))?;
    let mut roots = environment.concretized()?;
    roots.sort();
    if roots.is_empty() {
        session.say("==> No root specs")?;
        return session.say("");
    }
    session.say(&format!("==> {} root specs", roots.len()))?;
    session.say(&format::rule("no arch / no compilers"))?;
    for (text, hash) in roots {
        let node = hash.as_ref().and_then(|h| nodes.get(h));
        let mark = node.map_or(" - ", |n| status(n, records));
        let hash = hash_column(node, options);
        session.say(&format!("{mark} {hash}{text}"))?;
    }
    session.say("")
}

fn hash_column(node: Option<&Node>, options: &Options) -> String {
    let width = if options.has("--very-long") {
        32
    } else if options.has("--long") {
        7
    } else {
        return String::new();
    };
    let hash = node.map_or_else(|| "-".repeat(width), |n| n.hash.get(..width).unwrap_or(&n.hash).to_owned());
    hash + " "
}

/// The grouped listing.
fn list(
    session: &mut Session<'_, '_>,
    chosen: &[&Node],
    nodes: &Nodes,
    records: &Records,
    options: &Options,
) -> Result<(), Halt> {
    if options.has("--hashes") {
        for node in chosen {
            session.say(&format!("/{}", node.hash))?;
        }
        return Ok(());
    }
    let marks = options.has("--install-status") || options.has("--show-concretized");
    for (at, (header, members)) in format::groups(chosen, nodes).into_iter().enumerate() {
        if !options.has("--no-groups") {
            if at > 0 {
                session.say("")?;
            }
            session.say(&format::rule(&header))?;
        }
        let width = members.iter().map(|n| short_name(n, options).len()).max().unwrap_or(0);
        for node in members {
            let mut line = if marks { format!("{}  ", status(node, records)) } else { String::new() };
            line += &hash_column(Some(node), options);
            line += &short_name(node, options);
            if options.has("--paths") {
                let fill = " ".repeat(width - short_name(node, options).len());
                line += &format!("{fill}  {}", prefix(&session.store, records, node));
            }
            session.say(&line)?;
            if options.has("--deps") {
                for line in below(node, nodes) {
                    session.say(&line)?;
                }
                session.say("")?;
            }
        }
    }
    Ok(())
}

fn short_name(node: &Node, options: &Options) -> String {
    let namespace = if options.has("--namespaces") { format!("{}.", node.namespace) } else { String::new() };
    let variants = if options.has("--variants") { format::variants(node) } else { String::new() };
    format!("{namespace}{}@{}{variants}", node.name, node.version)
}

/// Link and run dependencies, indented, each once.
fn below(node: &Node, nodes: &Nodes) -> Vec<String> {
    fn visit(node: &Node, nodes: &Nodes, depth: usize, seen: &mut BTreeSet<String>, out: &mut Vec<String>) {
        for edge in node.edges(ALL_TYPES) {
            if let Some(next) = nodes.get(&edge.hash).filter(|n| seen.insert(n.hash.clone())) {
                out.push(format!("{}{}@{}", " ".repeat(depth * 4), next.name, next.version));
                visit(next, nodes, depth + 1, seen, out);
            }
        }
    }
    let mut out = Vec::new();
    visit(node, nodes, 1, &mut BTreeSet::new(), &mut out);
    out
}

/// `spack dependencies -i` and `spack dependents -i`.
pub fn related(session: &mut Session<'_, '_>, verb: &str, arguments: &[String]) -> Result<u8, Halt> {
    let declared: &[Declared] = &[(&["-i", "--installed"], false), (&["-t", "--transitive"], false)];
    let options = Options::read(arguments, declared)?;
    let records = session.store.read()?;
    let nodes = records.nodes();
    let node = super::remove::one_installed(&records, &nodes, &options.words.join(" "))?;
    let chosen: Vec<&Node> = if verb == "dependents" {
        records.dependents(&node.hash).into_iter().map(|r| &r.spec).collect()
    } else if options.has("--transitive") {
        let all = closure(&nodes, [node.hash.clone()], ALL_TYPES);
        all.iter().filter(|h| **h != node.hash).filter_map(|h| nodes.get(h)).collect()
    } else {
        node.dependencies.iter().filter_map(|e| nodes.get(&e.hash)).collect()
    };
    let long = Options::read(&["-l".to_owned()], DECLARED)?;
    list(session, &chosen, &nodes, &records, &long)?;
    Ok(0)
}

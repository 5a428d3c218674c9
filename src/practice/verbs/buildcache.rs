//! `spack buildcache`: what the mirrors offer, and putting packages there.

use std::path::{Path, PathBuf};

use crate::practice::env::environment;
use crate::practice::model::halt::Halt;
use crate::practice::model::record::{ALL_TYPES, Node, Nodes, build_order, closure};
use crate::practice::model::{format, query};
use crate::practice::session::{Declared, Options, Session};
use crate::practice::store::mirror as mirrors;
use crate::practice::store::mirror::Mirror;

pub fn buildcache(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let Some((verb, rest)) = arguments.split_first() else {
        return Err(Halt { code: 2, text: "spack buildcache requires a SUBCOMMAND".into() });
    };
    match verb.as_str() {
        "list" => list(session, rest),
        "push" | "create" => push(session, rest),
        "update-index" | "rebuild-index" => {
            let options = Options::read(rest, &[(&["-k", "--keys"], false)])?;
            let mirror = named(session, options.words.first())?;
            mirrors::write_index(&folder_of(&mirror)?)?;
            Ok(0)
        }
        _ => Err(Halt::failed(
            "the practice site's spack knows only 'buildcache list', 'push' and 'update-index'",
        )),
    }
}

/// The mirror that a word means: a name, a path or a URL.
fn named(session: &Session<'_, '_>, word: Option<&String>) -> Result<Mirror, Halt> {
    let Some(word) = word else {
        return Err(Halt { code: 2, text: "the following arguments are required: mirror".into() });
    };
    if let Some(known) = mirrors::configured(&session.config)?.into_iter().find(|m| m.name == *word) {
        return Ok(known);
    }
    if !word.contains('/') {
        let text = format!("argument mirror: no mirror named \"{word}\". Did you mean ./{word}?");
        return Err(Halt { code: 2, text });
    }
    let url = if word.contains("://") {
        word.clone()
    } else {
        environment::absolute(Path::new(word))?.display().to_string()
    };
    Ok(Mirror { name: "<unnamed>".to_owned(), url, source: true, binary: true, signed: true })
}

fn folder_of(mirror: &Mirror) -> Result<PathBuf, Halt> {
    mirror
        .folder()
        .ok_or_else(|| Halt::failed(format!("the practice site's spack cannot reach {}", mirror.url)))
}

const PUSH: &[Declared] = &[
    (&["-f", "--force"], false),
    (&["-u", "--unsigned"], false),
    (&["--signed"], false),
    (&["-k", "--key"], true),
    (&["--rebuild-index", "--update-index"], false),
    (&["--only"], true),
    (&["--with-build-dependencies"], false),
    (&["--without-build-dependencies"], false),
    (&["--fail-fast"], false),
    (&["--private"], false),
    (&["-j", "--jobs"], true),
];

fn push(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let mut options = Options::read(arguments, PUSH)?;
    let mirror = named(session, options.words.first())?;
    options.words.remove(0);
    let root = folder_of(&mirror)?;
    let nodes = session.known_nodes()?;
    let order = selected(session, &options, &nodes)?;
    if mirror.signed && !options.has("--unsigned") {
        return Err(Halt::failed(
            "No default key available for signing.\nUse spack gpg init and spack gpg create to create a default key.",
        ));
    }
    if order.len() > 1 {
        session.say(&format!("==> Selected {} specs to push to {}", order.len(), mirror.url))?;
    }
    let records = session.store.read()?;
    let (there, missing): (Vec<&Node>, Vec<&Node>) =
        order.into_iter().partition(|n| records.installed(&n.hash).is_some());
    if options.has("--fail-fast") && !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|n| short(n)).collect();
        return Err(Halt::failed(format!(
            "Cannot push non-installed packages\n    {}",
            elided(&names).join(", ")
        )));
    }
    let total = there.len();
    let (wanted, skipped): (Vec<&Node>, Vec<&Node>) =
        there.into_iter().partition(|n| options.has("--force") || !mirrors::holds(&root, n));
    for (at, node) in wanted.iter().enumerate() {
        mirrors::push(&root, &nodes, &node.hash, &session.store.prefix(node))?;
        let count = if wanted.len() > 1 { format!("[{}/{}] ", at + 1, wanted.len()) } else { String::new() };
        session.say(&format!("==> {count}Pushed {}", short(node)))?;
    }
    if options.has("--update-index") && !wanted.is_empty() {
        mirrors::write_index(&root)?;
    }
    tell_skipped(session, &skipped, total)?;
    failures(&missing)
}

fn short(node: &Node) -> String {
    format!("{}@{}/{}", node.name, node.version, node.short())
}

/// What is pushed, dependencies first: by default with the dependencies of building, which may not be installed.
fn selected<'n>(
    session: &Session<'_, '_>,
    options: &Options,
    nodes: &'n Nodes,
) -> Result<Vec<&'n Node>, Halt> {
    let roots: Vec<String> = if options.words.is_empty() {
        session.active("buildcache push")?.lock()?.roots.into_iter().map(|r| r.hash).collect()
    } else {
        let records = session.store.read()?;
        let specs = query::parse(&options.words)?;
        let find = |s: &crate::spack::spec::Spec| {
            super::remove::one_installed(&records, nodes, &s.to_string()).map(|n| n.hash)
        };
        specs.iter().map(find).collect::<Result<_, _>>()?
    };
    let types: &[&str] = match options.value("--only") {
        Some("package") => &[],
        _ if options.has("--without-build-dependencies") => &["link", "run", "test"],
        _ => ALL_TYPES,
    };
    let reached = closure(nodes, roots.iter().cloned(), types);
    let left_out = |hash: &String| options.value("--only") == Some("dependencies") && roots.contains(hash);
    let order = build_order(nodes, &roots);
    let order = order.iter().filter(|h| reached.contains(*h) && !left_out(h)).filter_map(|h| nodes.get(h));
    Ok(order.filter(|n| n.external.is_none()).collect())
}

fn tell_skipped(session: &mut Session<'_, '_>, skipped: &[&Node], total: usize) -> Result<(), Halt> {
    if skipped.is_empty() {
        return Ok(());
    }
    let text = if total == 1 {
        "The spec is already in the buildcache. Use --force to overwrite it.".to_owned()
    } else if skipped.len() == total {
        "All specs are already in the buildcache. Use --force to overwrite them.".to_owned()
    } else {
        let names: Vec<String> = skipped.iter().map(|n| short(n)).collect();
        format!(
            "The following {} specs were skipped as they already exist in the buildcache:\n    {}\n    Use --force to overwrite them.",
            skipped.len(),
            elided(&names).join(", ")
        )
    };
    session.say(&format!("==> {text}"))
}

/// At most five of a list, with an ellipsis before the last, as Spack shortens lists.
fn elided(list: &[String]) -> Vec<String> {
    match list {
        [first @ .., last] if list.len() > 5 => {
            first.iter().take(4).cloned().chain(["...".to_owned(), last.clone()]).collect()
        }
        _ => list.to_vec(),
    }
}

fn failures(missing: &[&Node]) -> Result<u8, Halt> {
    match missing {
        [] => Ok(0),
        [_] => Err(Halt::failed("package not installed")),
        many => {
            let line =
                |n: &&Node| format!("    {}: PackageNotInstalledError: package not installed", short(n));
            let lines: Vec<String> = many.iter().map(line).collect();
            Err(Halt::failed(format!(
                "The following {} errors occurred while pushing specs to the buildcache\n{}",
                many.len(),
                elided(&lines).join("\n")
            )))
        }
    }
}

fn list(session: &mut Session<'_, '_>, rest: &[String]) -> Result<u8, Halt> {
    let declared: &[Declared] = &[
        (&["-l", "--long"], false),
        (&["-L", "--very-long"], false),
        (&["-a", "--allarch"], false),
        (&["-v", "--variants"], false),
    ];
    let options = Options::read(rest, declared)?;
    let nodes = mirrors::index_nodes(&session.config)?;
    let offered = mirrors::available(&session.config)?;
    let specs = query::parse(&options.words)?;
    let chosen: Vec<&Node> = nodes
        .values()
        .filter(|n| offered.contains(&n.hash))
        .filter(|n| specs.is_empty() || specs.iter().any(|s| query::matches(n, s, &nodes)))
        .collect();
    for (header, members) in format::groups(&chosen, &nodes) {
        session.say(&format::rule(&header))?;
        for node in members {
            let hash = match (options.has("--long"), options.has("--very-long")) {
                (_, true) => format!("{} ", node.hash),
                (true, false) => format!("{} ", node.short()),
                _ => String::new(),
            };
            session.say(&format!("{hash}{}@{}", node.name, node.version))?;
        }
    }
    Ok(0)
}

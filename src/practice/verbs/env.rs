//! `spack env …`, `add`, `remove` and `concretize`.

use std::path::Path;

use super::spec::tree;
use super::track;
use crate::practice::env::environment::{self, Environment, Lock, Root, Unify};
use crate::practice::env::view;
use crate::practice::model::disk;
use crate::practice::model::halt::Halt;
use crate::practice::model::query::{self, parse_one};
use crate::practice::session::{Declared, Options, Session};
use crate::practice::solve::{Kept, Solution};
use crate::spack::environment::manifest::edit::MANIFEST;
use crate::spack::spec::Spec;

pub fn add(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let options = Options::read(arguments, &[(&["-l", "--list-name"], true)])?;
    let environment = session.active("add")?;
    for spec in query::parse(&options.words)? {
        let name = spec.name.clone().unwrap_or_default();
        if !session.catalogue.knows(&name) {
            return Err(Halt::failed(format!("no such package: {name}")));
        }
        let mut specs = environment.user_specs()?;
        let known = specs.iter().any(|s| parse_one(s).is_ok_and(|s| s == spec));
        if known {
            session.say(&format!("==> Package {spec} was already added to {}", environment.name))?;
            continue;
        }
        session.say(&format!("==> Adding {spec} to environment {}", environment.name))?;
        specs.push(spec.to_string());
        let _lock = environment.transaction()?;
        environment.write_specs(&specs)?;
    }
    Ok(0)
}

pub fn remove(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let declared: &[Declared] = &[(&["-a", "--all"], false), (&["-f", "--force"], false)];
    let options = Options::read(arguments, declared)?;
    let environment = session.active("remove")?;
    let path = environment.manifest_path();
    if options.has("--all") {
        let _lock = environment.transaction()?;
        environment.write_specs(&[])?;
        return Ok(0);
    }
    for spec in query::parse(&options.words)? {
        let specs = environment.user_specs()?;
        let same = |text: &String| {
            parse_one(text).is_ok_and(|s| s == spec || spec.name == s.name && spec == named_only(&spec))
        };
        let (gone, kept): (Vec<String>, Vec<String>) = specs.into_iter().partition(same);
        if gone.is_empty() {
            return Err(Halt::failed(format!("Not found: {spec}")));
        }
        let _lock = environment.transaction()?;
        environment.write_specs(&kept)?;
        session.say(&format!("==> {spec} has been removed from {}", path.display()))?;
    }
    Ok(0)
}

fn named_only(spec: &Spec) -> Spec {
    Spec { name: spec.name.clone(), ..Default::default() }
}

pub fn concretize(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let declared: &[Declared] = &[
        (&["-f", "--force"], false),
        (&["-q", "--quiet"], false),
        (&["-U", "--fresh"], false),
        (&["--reuse"], false),
        (&["--fresh-roots"], false),
        (&["--deprecated"], false),
        (&["-j", "--jobs"], true),
        (&["--test"], true),
    ];
    let options = Options::read(arguments, declared)?;
    let environment = session.active("concretize")?;
    let text = concretize_new(session, &environment, options.has("--force"))?;
    if !options.has("--quiet") {
        session.say(text.as_deref().unwrap_or("==> No new specs to concretize."))?;
    }
    refresh_view(session, &environment)?;
    Ok(0)
}

/// Solves what the lock does not hold yet, or everything. Gives what Spack prints, or nothing when nothing was new.
pub fn concretize_new(
    session: &mut Session<'_, '_>,
    environment: &Environment,
    force: bool,
) -> Result<Option<String>, Halt> {
    let wanted = environment.concretized()?;
    let old = environment.lock()?;
    let new: Vec<&String> = wanted.iter().filter(|(_, h)| force || h.is_none()).map(|(t, _)| t).collect();
    let gone = old.roots.iter().any(|r| !wanted.iter().any(|(t, _)| *t == r.spec));
    if new.is_empty() && !gone {
        return Ok(None);
    }
    let kept: Vec<String> =
        if force { Vec::new() } else { wanted.iter().filter_map(|(_, h)| h.clone()).collect() };
    let specs = new.iter().map(|text| parse_one(text)).collect::<Result<Vec<_>, _>>()?;
    let solved = solved(session, environment.unify()?, &specs, Kept::of(&old.nodes, &kept))?;
    let mut lock = Lock { nodes: solved.nodes, roots: Vec::new() };
    let mut hashes = solved.roots.into_iter();
    for (text, known) in &wanted {
        let hash = known.clone().filter(|_| !force).or_else(|| hashes.next()).unwrap_or_default();
        lock.roots.push(Root { hash, spec: text.clone() });
    }
    let _transaction = environment.transaction()?;
    environment.write_lock(&lock)?;
    if new.is_empty() {
        return Ok(None);
    }
    let records = session.store.read()?;
    let mut text = format!("==> Concretized {} spec{}:", new.len(), if new.len() == 1 { "" } else { "s" });
    for root in lock.roots.iter().filter(|r| new.contains(&&r.spec)) {
        text.push('\n');
        text.push_str(&tree(&lock.nodes, &root.hash, &records).join("\n"));
        text.push('\n');
    }
    Ok(Some(text))
}

/// New specs beside what stays, and the nodes of both.
fn solved(session: &Session<'_, '_>, unify: Unify, specs: &[Spec], kept: Kept) -> Result<Solution, Halt> {
    let mut all = Solution { nodes: kept.nodes.clone(), roots: Vec::new() };
    if specs.is_empty() {
        return Ok(all);
    }
    let apart = |all: &mut Solution| {
        for spec in specs {
            let one = session.solve(std::slice::from_ref(spec))?;
            all.nodes.extend(one.nodes);
            all.roots.extend(one.roots);
        }
        Ok::<(), Halt>(())
    };
    let stays = !kept.fixed.is_empty();
    match (unify, if unify == Unify::Never { None } else { Some(session.solve_beside(specs, kept)) }) {
        (_, Some(Ok(together))) => {
            all.nodes.extend(together.nodes);
            all.roots = together.roots;
        }
        (Unify::Always, Some(Err(halt))) if !halt.text.starts_with("failed to concretize") => {
            return Err(halt);
        }
        (Unify::Always, Some(Err(halt))) => {
            let change = if stays {
                " Couldn't concretize without changing the existing environment. If you are ok with changing it, try \
                 `spack concretize --force`."
            } else {
                ""
            };
            let advice = "You could consider setting `concretizer:unify` to `when_possible` or `false` to allow multiple \
                          versions of some packages.";
            return Err(Halt { text: format!("{}.{change} {advice}", halt.text), ..halt });
        }
        _ => apart(&mut all)?,
    }
    Ok(all)
}

/// Builds the view again where its content changed, and says so.
pub fn refresh_view(session: &mut Session<'_, '_>, environment: &Environment) -> Result<(), Halt> {
    let (lock, records) = (environment.lock()?, session.store.read()?);
    for root in view::regenerate(environment, &lock, &records, &session.store)? {
        session.say(&format!("==> Updating view at {}", root.display()))?;
    }
    Ok(())
}

pub fn env(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let Some((verb, rest)) = arguments.split_first() else {
        return Err(Halt { code: 2, text: "spack env requires a SUBCOMMAND".into() });
    };
    match verb.as_str() {
        "create" => create(session, rest),
        "list" | "ls" => {
            for environment in session.managed() {
                session.say(&format!("    {}", environment.name))?;
            }
            Ok(0)
        }
        "status" | "st" => {
            let line = match &session.environment {
                Some(environment) => format!("==> In environment {}", environment.name),
                None => "==> No active environment".to_owned(),
            };
            session.say(&line)?;
            Ok(0)
        }
        "remove" | "rm" => track::forget(session, rest, true),
        "track" => track::track(session, rest),
        "untrack" => track::forget(session, rest, false),
        "view" => change_view(session, rest),
        "rename" | "mv" => rename(session, rest),
        other => Err(Halt { code: 2, text: format!("argument SUBCOMMAND: invalid choice: '{other}'") }),
    }
}

fn create(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let declared: &[Declared] = &[
        (&["-d", "--dir"], false),
        (&["--keep-relative"], false),
        (&["--without-view"], false),
        (&["--with-view"], true),
    ];
    let options = Options::read(arguments, declared)?;
    let Some(name) = options.words.first() else {
        return Err(Halt { code: 2, text: "the following arguments are required: env".into() });
    };
    let independent = options.has("--dir") || name.contains('/') || name == "." || name == "..";
    let folder = if independent {
        environment::absolute(Path::new(name))?
    } else {
        track::check_name(name)?;
        session.environments.join(name)
    };
    if folder.join("spack.yaml").exists() {
        return Err(Halt::failed(format!("'{name}': environment already exists at {}", folder.display())));
    }
    let (text, lock) = start_of(session, options.words.get(1))?;
    disk::write(&folder.join("spack.yaml"), text.as_deref().unwrap_or(MANIFEST))?;
    let environment = Environment { name: name.clone(), folder };
    if let Some(lock) = lock {
        disk::write(&environment.lock_path(), lock)?;
        if text.is_none() {
            let specs: Vec<String> = environment.lock()?.roots.into_iter().map(|r| r.spec).collect();
            environment.write_specs(&specs)?;
        }
    }
    if options.has("--without-view") {
        environment.write_view("false")?;
    } else if let Some(path) = options.value("--with-view") {
        // Taken from where the command runs, not from the manifest.
        environment.write_view(&environment::absolute(Path::new(path))?.to_string_lossy())?;
    }
    let kind = if independent { "independent environment" } else { &*format!("environment {name}") };
    session.say(&format!("==> Created {kind} in: {}", environment.folder.display()))?;
    session.say(&format!("==> Activate with: spack env activate {name}"))?;
    refresh_view(session, &environment)?;
    Ok(0)
}

/// Manifest and lock that a new environment starts with: from a file, or from another environment.
type Start = (Option<String>, Option<String>);

fn start_of(session: &Session<'_, '_>, word: Option<&String>) -> Result<Start, Halt> {
    let Some(word) = word else { return Ok((None, None)) };
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|e| Halt::internal(format!("{e}: '{}'", path.display())))
    };
    if let Ok(other) = Environment::find(word, &session.environments, false) {
        let lock = other.lock_path();
        return Ok((
            Some(read(&other.manifest_path())?),
            if lock.is_file() { Some(read(&lock)?) } else { None },
        ));
    }
    let path = Path::new(word);
    let is_lock = path.extension().is_some_and(|e| e == "lock" || e == "json");
    let text = read(path)?;
    Ok(if is_lock { (None, Some(text)) } else { (Some(text), None) })
}

/// `spack env view regenerate|enable|disable`.
fn change_view(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let Some(environment) = session.environment.clone() else {
        session.say("==> No active environment")?;
        return Ok(0);
    };
    let options = Options::read(arguments, &[])?;
    let value = match options.words.first().map(String::as_str) {
        Some("regenerate") => return refresh_view(session, &environment).map(|()| 0),
        Some("enable") => options.words.get(1).map_or("true", String::as_str),
        Some("disable") => "false",
        other => {
            let text = format!("argument action: invalid choice: '{}'", other.unwrap_or_default());
            return Err(Halt { code: 2, text });
        }
    };
    view::delete_default(&environment)?;
    environment.write_view(value)?;
    refresh_view(session, &environment)?;
    Ok(0)
}

fn rename(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let options = Options::read(arguments, &[(&["-f", "--force"], false), (&["-d", "--dir"], false)])?;
    let [from, to] = options.words.as_slice() else {
        return Err(Halt { code: 2, text: "the following arguments are required: from, to".into() });
    };
    let old = Environment::find(from, &session.environments, options.has("--dir"))?;
    let new = session.environments.join(to);
    if new.exists() {
        return Err(Halt::failed(
            "The new name corresponds to an existing environment; specify the --force flag to overwrite it."
                .to_string(),
        ));
    }
    disk::rename(&old.folder, &new)?;
    session.say(&format!("==> Successfully renamed environment {from} to {to}"))?;
    Ok(0)
}

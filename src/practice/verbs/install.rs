//! `spack install`: what is asked for, alone or in an environment; the installer does the rest.

use super::env;
use super::spec;
use crate::practice::env::environment::{Environment, Root};
use crate::practice::install::Installer;
use crate::practice::model::halt::Halt;
use crate::practice::model::query;
use crate::practice::model::record::Nodes;
use crate::practice::session::{Declared, Options, Session};
use crate::practice::solve::Solution;

const DECLARED: &[Declared] = &[
    (&["-y", "--yes-to-all"], false),
    (&["--fail-fast"], false),
    (&["--only-concrete"], false),
    (&["--overwrite"], false),
    (&["--no-cache"], false),
    (&["--cache-only"], false),
    (&["--no-check-signature"], false),
    (&["--fake"], false),
    (&["--add"], false),
    (&["--no-add"], false),
    (&["--keep-stage"], false),
    (&["--keep-prefix"], false),
    (&["--show-log-on-error"], false),
    (&["--source"], false),
    (&["-v", "--verbose"], false),
    (&["-U", "--fresh"], false),
    (&["--reuse"], false),
    (&["--fresh-roots"], false),
    (&["--deprecated"], false),
    (&["-f", "--force"], false),
    (&["-j", "--jobs"], true),
    (&["-p", "--concurrent-packages"], true),
    (&["--only"], true),
    (&["--use-buildcache"], true),
    (&["--test"], true),
    (&["--log-format"], true),
    (&["--log-file"], true),
];

pub fn install(session: &mut Session<'_, '_>, arguments: &[String]) -> Result<u8, Halt> {
    let options = Options::read(arguments, DECLARED)?;
    let environment = session.environment.clone();
    if let Some(environment) = environment {
        return in_environment(session, &environment, &options);
    }
    if options.has("--only-concrete") {
        return Err(Halt::internal("argument '--only-concrete' requires an environment"));
    }
    if options.words.is_empty() {
        return Err(Halt::failed(
            "install requires a package argument or active environment\n    either:\n        spack install <spec>\n    or: \n        spack -e <env> install",
        ));
    }
    let wanted = spec::concrete(session, &options.words)?;
    if options.has("--overwrite") {
        confirm_overwrite(session, &options)?;
    }
    Installer::new(session, &options, wanted)?.run()
}

fn confirm_overwrite(session: &mut Session<'_, '_>, options: &Options) -> Result<(), Halt> {
    if options.has("--yes-to-all") || session.confirm("Do you want to overwrite the installed specs?")? {
        return Ok(());
    }
    Err(Halt::failed("Reinstallation aborted."))
}

fn in_environment(
    session: &mut Session<'_, '_>,
    environment: &Environment,
    options: &Options,
) -> Result<u8, Halt> {
    if options.has("--add") {
        env::add(session, &options.words)?;
    }
    if !options.has("--only-concrete") {
        let changed = env::concretize_new(session, environment, options.has("--force"))?;
        if let Some(text) = changed {
            session.say(&text)?;
        }
    }
    let lock = environment.lock()?;
    let mut wanted =
        Solution { nodes: lock.nodes.clone(), roots: lock.roots.iter().map(|r| r.hash.clone()).collect() };
    if options.words.is_empty() && wanted.roots.is_empty() {
        session.say(&format!("==> {} environment has no specs to install", environment.name))?;
        return Ok(0);
    }
    if !options.words.is_empty() {
        wanted.roots = matching_roots(&options.words, &lock.roots, &lock.nodes)?;
    }
    if options.has("--overwrite") {
        confirm_overwrite(session, options)?;
    }
    let roots = lock.roots.iter().map(|root| root.hash.as_str()).collect();
    let code = Installer::new(session, options, wanted)?.marks_only(&roots).run();
    env::refresh_view(session, environment)?;
    code
}

/// The nodes of an environment that the words mean.
fn matching_roots(words: &[String], roots: &[Root], nodes: &Nodes) -> Result<Vec<String>, Halt> {
    let mut found = Vec::new();
    for spec in query::parse(words)? {
        let explicit = roots.iter().filter_map(|r| nodes.get(&r.hash));
        let mut matches: Vec<String> =
            explicit.filter(|n| query::matches(n, &spec, nodes)).map(|n| n.hash.clone()).collect();
        if matches.is_empty() && spec.hash.is_some() {
            matches =
                nodes.values().filter(|n| query::matches(n, &spec, nodes)).map(|n| n.hash.clone()).collect();
        }
        if matches.is_empty() {
            return Err(Halt::failed(format!(
                "Cannot install '{spec}' because no matching specs are in the current environment.\n Specs can be added to the environment with 'spack add {spec}',\n or as part of the install command with 'spack install --add {spec}'"
            )));
        }
        found.extend(matches);
    }
    Ok(found)
}

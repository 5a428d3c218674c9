//! The practice site: a throw-away site whose `spack` is this executable, answering Spack 1.1's command line from a
//! small recorded catalogue and writing the real file formats. It is for first steps, examples and tests; it never
//! stands in unasked. Practice plays a program of its own, so it shares no reader with the product, and writes
//! directly, only in `model::disk`.
//!
//! ```text
//! { site, verbs } → install → modules → session → env → store → { config, solve } → model
//! ```
//!
//! ```text
//! DIR/spack/bin/spack      a link to the executable; called by that name, it is the stand-in
//! DIR/spack/{lib,etc}      version and marker, defaults
//! DIR/{config,cache}       user scope (install tree, compilers, mirrors, repositories), caches
//! DIR/{store,stage,mirror,environments,toolchain,repo}
//! DIR/faults.toml          what shall go wrong: see `config::fault`
//! ```
//!
//! Packages that misbehave on their own: `practice-broken@2.0` fails to build (1.0 works), `practice-needs-broken`
//! depends on it, `practice-upgrade@2.0` fails to build and `@2.1` is built but does not run (1.0 and 1.1 work),
//! `practice-flaky` cannot be fetched, `practice-slow seconds=N` takes its time.

mod config;
mod env;
mod install;
mod model;
mod modules;
mod session;
mod site;
mod solve;
mod store;
mod verbs;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::practice::model::release::{MARKER, VERSION};

use config::Variables;
use model::halt::Halt;
use session::{Globals, Session};

pub use config::fault::VARIABLE as FAULTS_VARIABLE;
pub use session::Streams;
pub use site::{PracticeSite, create, open};

/// The root of the practice installation whose `spack` was called, if one was: the file name is `spack`, and beside
/// the *unresolved* place stands the marker.
pub fn called_as_spack(argv0: &OsStr, search: Option<&OsStr>) -> Option<PathBuf> {
    let called = Path::new(argv0);
    if called.file_name()? != "spack" {
        return None;
    }
    let is_practice = |root: &Path| {
        std::fs::read_to_string(root.join("lib/spack/spack/__init__.py")).is_ok_and(|t| t.contains(MARKER))
    };
    let root_of = |program: &Path| {
        let root = program.parent()?.parent()?;
        is_practice(root).then(|| root.to_path_buf())
    };
    if called.components().count() > 1 {
        let whole = std::path::absolute(called).ok()?;
        // The user may have linked to our link: follow one step at a time.
        let mut place = whole;
        for _ in 0..16 {
            if let Some(root) = root_of(&place) {
                return Some(root);
            }
            let target = std::fs::read_link(&place).ok()?;
            place = place.parent()?.join(target);
        }
        return None;
    }
    std::env::split_paths(search?).map(|f| f.join("spack")).find(|p| p.is_file()).and_then(|p| root_of(&p))
}

/// Plays Spack for a process: its arguments without the program's name, and the practice Spack's root.
pub fn main(arguments: Vec<OsString>, root: PathBuf) -> u8 {
    let words: Vec<String> = arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let variables: Variables = std::env::vars_os()
        .map(|(k, v)| (k.to_string_lossy().into_owned(), v.to_string_lossy().into_owned()))
        .collect();
    let mut input = std::io::stdin().lock();
    let mut out = std::io::stdout().lock();
    let mut err = std::io::stderr().lock();
    let mut streams = Streams { input: &mut input, out: &mut out, err: &mut err };
    let code = run(&words, &root, &variables, &mut streams);
    // A reader that went away is not an error.
    let _ = std::io::stdout().flush();
    code
}

/// Plays Spack: everything that it sees of the process is given, so tests can run it in their own.
pub fn run(words: &[String], root: &Path, variables: &Variables, streams: &mut Streams<'_>) -> u8 {
    let halt = match answer(words, root, variables, streams) {
        Ok(code) => return code,
        Err(halt) => halt,
    };
    if !halt.text.is_empty() {
        // Nobody reads: there is nothing better to do with the message.
        let _ = writeln!(streams.err, "==> Error: {}", halt.text);
    }
    halt.code
}

fn answer(
    words: &[String],
    root: &Path,
    variables: &Variables,
    streams: &mut Streams<'_>,
) -> Result<u8, Halt> {
    let globals = Globals::read(words)?;
    if globals.version {
        writeln!(streams.out, "{VERSION}")?;
        return Ok(0);
    }
    let Some((verb, arguments)) = globals.rest.split_first() else {
        writeln!(streams.out, "usage: spack [-hkV] [-e ENV] [--color {{always,never,auto}}] COMMAND ...")?;
        return Ok(1);
    };
    let faults = config::fault::Faults::load(root, variables)?;
    if let Some(fault) = faults.verb.get(verb.as_str()) {
        fault.strike(streams.out)?;
    }
    let mut session = Session::start(&globals, root, variables, streams)?;
    dispatch(&mut session, verb, arguments)
}

/// The verbs that the stand-in knows.
const VERBS: [&str; 24] = [
    "add",
    "arch",
    "buildcache",
    "commands",
    "compiler",
    "compilers",
    "concretize",
    "config",
    "dependencies",
    "dependents",
    "env",
    "find",
    "gc",
    "install",
    "location",
    "mark",
    "mirror",
    "module",
    "python",
    "remove",
    "repo",
    "spec",
    "uninstall",
    "verify",
];

fn dispatch(session: &mut Session<'_, '_>, verb: &str, arguments: &[String]) -> Result<u8, Halt> {
    match verb {
        "find" => verbs::find::find(session, arguments),
        "dependencies" | "dependents" => verbs::find::related(session, verb, arguments),
        "spec" => verbs::spec::spec(session, arguments),
        "install" => verbs::install::install(session, arguments),
        "uninstall" => verbs::remove::uninstall(session, arguments),
        "gc" => verbs::remove::gc(session, arguments),
        "mark" => verbs::remove::mark(session, arguments),
        "add" => verbs::env::add(session, arguments),
        "remove" | "rm" => verbs::env::remove(session, arguments),
        "concretize" | "concretise" => verbs::env::concretize(session, arguments),
        "env" => verbs::env::env(session, arguments),
        "config" => verbs::info::config(session, arguments),
        "mirror" => verbs::info::mirror(session, arguments),
        "repo" => verbs::info::repo(session, arguments),
        "location" => verbs::info::location(session, arguments),
        "compiler" | "compilers" => verbs::info::compilers(session, verb, arguments),
        "arch" => verbs::info::arch(session, arguments),
        "buildcache" => verbs::buildcache::buildcache(session, arguments),
        "module" => verbs::module::module(session, arguments),
        "verify" => verbs::verify::verify(session, arguments),
        "python" => Err(Halt::failed("the practice site's spack has no Python")),
        "commands" => {
            for name in VERBS {
                session.say(name)?;
            }
            Ok(0)
        }
        other => Err(unknown(other)),
    }
}

fn unknown(verb: &str) -> Halt {
    let mut text = format!(
        "{verb} is not a recognized Spack command or extension command; check with `spack commands`."
    );
    if let Some(near) = crate::base::nearest::nearest(verb, VERBS) {
        text.push_str(&format!("\n\nDid you mean one of the following commands?\n  {near}"));
    }
    Halt::failed(text)
}

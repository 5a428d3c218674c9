//! Who may use whom, and who may touch the machine. The picture in `src/lib.rs` is read, so it cannot go stale; each
//! line that breaks it is named.

mod picture;
mod rooms;
mod source;

use std::path::{Path, PathBuf};

use picture::Picture;
use rooms::House;

/// Layers that may not be used although they lie below: above `api`, Spack is met through the registry only, and
/// the command line alone opens the pieces that a session is made of.
const SKIPPED: &[(&str, &[&str])] = &[
    (
        "reference",
        &["general", "check", "notify", "schedule", "practice", "generation", "snapshot", "mirror", "spack"],
    ),
    (
        "term",
        &["general", "check", "notify", "schedule", "practice", "generation", "snapshot", "mirror", "spack"],
    ),
    (
        "script",
        &["general", "check", "notify", "schedule", "practice", "generation", "snapshot", "mirror", "spack"],
    ),
    (
        "repl",
        &["general", "check", "notify", "schedule", "practice", "generation", "snapshot", "mirror", "spack"],
    ),
    ("api", &["practice"]),
];

/// What reaches the machine, and who may name it. The longest prefix that fits decides; `""` is everybody.
const NAMES: &[(&str, &[&str])] = &[
    // Processes. Ending one's own is the command line's business.
    ("std::process", &["world"]),
    ("std::process::id", &[""]),
    ("std::process::exit", &["cli"]),
    ("std::process::ExitCode", &["main.rs"]),
    ("tokio::process", &["world"]),
    // Sockets.
    ("std::net", &["world"]),
    ("std::os::unix::net", &["world"]),
    ("tokio::net", &["world"]),
    ("reqwest", &["world"]),
    ("rustls", &["world"]),
    ("lettre", &["world"]),
    // Files. Practice plays Spack, a program of its own: it looks by itself, and changes only in `disk`.
    ("fs_err", &["world"]),
    ("tokio::fs", &["world"]),
    ("std::fs", &["world", "base/atomic.rs", "practice/model/disk.rs"]),
    ("std::fs::File", &["world", "base/atomic.rs", "practice/model/disk.rs"]),
    ("std::fs::File::open", &["world", "base", "practice"]),
    ("std::fs::Metadata", &["world", "base", "practice"]),
    ("std::fs::canonicalize", &["world", "practice"]),
    ("std::fs::metadata", &["world", "base", "practice"]),
    ("std::fs::symlink_metadata", &["world", "practice"]),
    ("std::fs::read", &["world", "practice"]),
    ("std::fs::read_dir", &["world", "practice", "script/loader.rs"]),
    ("std::fs::read_link", &["world", "base", "practice"]),
    ("std::fs::read_to_string", &["world", "practice", "cli/mod.rs"]),
    ("std::os::unix::fs", &["world", "practice/model/disk.rs"]),
    ("std::os::unix::fs::PermissionsExt", &["world", "base", "practice/model/disk.rs"]),
    ("std::os::unix::fs::MetadataExt", &["world", "practice"]),
    ("walkdir", &["world", "base/digest.rs", "practice"]),
    ("tempfile", &["world", "base/atomic.rs", "cli/session.rs"]),
    // Queries stand where their answers are given; opening and migrating is the store's.
    ("rusqlite", &["world", "check/history.rs", "runs/latest.rs", "runs/read.rs"]),
    // The system below the standard library: only what asks who and where we are.
    ("libc", &["world"]),
    ("nix", &["world"]),
    ("nix::unistd::User", &[""]),
    ("nix::unistd::geteuid", &[""]),
    ("nix::unistd::getuid", &[""]),
    ("nix::unistd::gethostname", &[""]),
    ("nix::unistd::getpid", &[""]),
    // The fault "Spack is killed in the middle of a build" is played in earnest.
    ("nix::sys::signal", &["world", "practice/install/steps.rs"]),
    ("std::env::set_var", &[]),
    ("std::env::remove_var", &[]),
    ("std::env::set_current_dir", &["world/proc/cwd.rs"]),
    // Lua, the command line and the terminal stay in their corners.
    ("mlua", &["script", "repl", "cli"]),
    // It could write files anywhere; here it only reads and writes bytes.
    ("tar", &["snapshot/store/archive.rs"]),
    ("object", &["spack/linkage"]),
    ("clap", &["script/workflow.rs", "cli"]),
    ("clap_complete", &["cli"]),
    ("rhai", &["policy"]),
    ("rustyline", &["repl"]),
    ("comfy_table", &["term"]),
    ("annotate_snippets", &["term"]),
    ("indicatif", &["term"]),
    ("console", &["term"]),
    ("signal_hook", &["cli"]),
    ("print!", &["term", "cli", "repl"]),
    ("println!", &["term", "cli", "repl"]),
    ("eprint!", &["term", "cli", "repl"]),
    ("eprintln!", &["term", "cli", "repl"]),
    ("dbg!", &[]),
];

/// The longest file that is still one idea.
const LINES: usize = 400;

/// The picture in `src/lib.rs`, without the layers that are skipped.
fn picture(lib: &str) -> Picture {
    let mut picture = picture::of(lib).expect("a picture in src/lib.rs");
    for (layer, skipped) in SKIPPED {
        let may = picture.may.get_mut(*layer).expect("a layer");
        may.retain(|l| !skipped.contains(&l.as_str()));
    }
    picture
}

/// What a file does that it may not.
fn broken(allowed: &Picture, file: &str, text: &str) -> Vec<String> {
    let folder = file.split_once('/').map_or(file.trim_end_matches(".rs"), |(folder, _)| folder);
    let mut bad = Vec::new();
    let place = allowed.may.get(folder).or_else(|| (folder == "lib").then_some(&allowed.may["main"]));
    let Some(may) = place else {
        return vec![format!("src/{file}: '{folder}' has no place in the picture in src/lib.rs")];
    };
    for named in source::names(file, text) {
        let at = format!("src/{file}:{}", named.line);
        let path = named.path.replacen("moonstack::", "crate::", 1);
        if let Some(layer) = path.strip_prefix("crate::").and_then(|rest| rest.split("::").next())
            && allowed.may.contains_key(layer)
            && !may.contains(layer)
        {
            bad.push(format!("{at}: {folder} may not use {layer} ({path})"));
        }
        let whole = path.strip_suffix("::*").unwrap_or(&path);
        let fits = |prefix: &str| {
            whole.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        // A module or type with parts of its own rules does nothing by its name; what is taken from it is followed.
        if whole == path && NAMES.iter().any(|(prefix, _)| prefix.starts_with(&format!("{path}::"))) {
            continue;
        }
        let rule = NAMES.iter().filter(|(prefix, _)| fits(prefix)).max_by_key(|(prefix, _)| prefix.len());
        let Some((prefix, places)) = rule else { continue };
        let fine = places.iter().any(|p| p.is_empty() || file == *p || file.starts_with(&format!("{p}/")));
        if !fine {
            let owner = if places.is_empty() { "nobody".to_owned() } else { places.join(", ") };
            bad.push(format!("{at}: {path}: '{prefix}' belongs to {owner}"));
        }
    }
    bad
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// Each file below `src` with its text; a `tests.rs` is only compiled for tests.
fn shipped() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    files.sort();
    let read = |file: PathBuf| {
        let name = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&file).unwrap())
    };
    files
        .into_iter()
        .map(read)
        .filter(|(n, _)| !n.ends_with("_test.rs") && !n.ends_with("/tests.rs"))
        .collect()
}

fn drawn() -> Picture {
    picture(&std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap())
}

#[test]
fn each_layer_uses_only_those_below_it() {
    let allowed = drawn();
    let bad: Vec<String> = shipped().iter().flat_map(|(file, text)| broken(&allowed, file, text)).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn every_layer_in_the_picture_exists() {
    let files = shipped();
    let picture = drawn();
    for layer in picture.may.keys().filter(|layer| !picture.planned.contains(*layer)) {
        let there =
            files.iter().any(|(f, _)| f.starts_with(&format!("{layer}/")) || *f == format!("{layer}.rs"));
        assert!(there, "'{layer}' is drawn in src/lib.rs, but is not there");
    }
}

#[test]
fn in_each_room_a_part_uses_only_those_below_it() {
    let files = shipped();
    let house = House::of(&files);
    let bad: Vec<String> = files.iter().flat_map(|(file, text)| house.broken(file, text)).collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn every_room_says_what_it_is_for_and_draws_its_parts() {
    let files = shipped();
    let bad = House::of(&files).undrawn();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn no_room_is_crowded() {
    let files = shipped();
    let bad = House::of(&files).crowded();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// The guard of the rooms itself: an arrow is planted that runs against the order, in each spelling.
#[test]
fn a_planted_arrow_is_found() {
    let room = |text: &str| {
        let mut files: Vec<(String, String)> = vec![
            ("spack/mod.rs".into(), "//! Spack.\n//!\n//! ```text\n//! change → { drive, [later] } → store\n//! ```\npub use store::row::Row;\n".into()),
            ("spack/change.rs".into(), String::new()),
            ("spack/drive.rs".into(), text.into()),
            ("spack/store/mod.rs".into(), "//! The store.\n//!\n//! ```text\n//! query → row ↔ mod\n//! ```\n".into()),
            ("spack/store/row.rs".into(), "use super::Stores;".into()),
            ("spack/store/query.rs".into(), "use super::row::Row;\nuse super::Stores;".into()),
        ];
        files.sort();
        files
    };
    for (text, line) in [
        ("use crate::spack::change::Install;", 1),
        ("use super::change;", 1),
        ("\nfn f() { super::change::install(); }", 2),
        ("use super::{store::row::Row, change as other};", 1),
        ("use crate::spack;\nfn f() { spack::change::install(); }", 2),
        ("use crate::spack::Spack;", 1),
    ] {
        let files = room(text);
        let house = House::of(&files);
        let bad: Vec<String> = files.iter().flat_map(|(file, text)| house.broken(file, text)).collect();
        assert_eq!(bad.len(), 1, "{text}: {bad:?}");
        assert!(
            bad[0].starts_with(&format!("src/spack/drive.rs:{line}: in spack, drive may not use ")),
            "{bad:?}"
        );
    }
    for text in ["use super::store::query;", "use crate::spack::Row;", "use crate::base::change::X;"] {
        let files = room(text);
        let house = House::of(&files);
        let bad: Vec<String> = files.iter().flat_map(|(file, text)| house.broken(file, text)).collect();
        assert_eq!(bad, Vec::<String>::new(), "{text}");
    }
    let mut files = room("");
    files.push(("spack/lost.rs".into(), String::new()));
    assert_eq!(House::of(&files).undrawn(), ["src/spack/mod.rs: 'lost' has no place in the picture"]);
    files.extend((0..rooms::FILES).map(|n| (format!("spack/a{n}.rs"), String::new())));
    assert_eq!(House::of(&files).crowded(), ["src/spack has 20 files at one level"]);
}

#[test]
fn no_file_is_longer_than_one_idea() {
    let long: Vec<String> = shipped()
        .iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES)
        .map(|(file, lines)| format!("src/{file} has {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// The guard itself: each of these is found, however it is spelt.
#[test]
fn a_forbidden_import_is_found() {
    let allowed = drawn();
    let cases = [
        ("base/x.rs", "use crate::world::Eyes;"),
        ("base/x.rs", "use crate::{base::Kind, world::Eyes};"),
        ("base/x.rs", "fn f() { crate::api::registry(); }"),
        ("base/a/x.rs", "use super::super::super::script::Host;"),
        ("spack/x.rs", "use crate::check::Finding;"),
        ("check/x.rs", "use crate::practice::create;"),
        ("practice/x.rs", "use crate::check::Finding;"),
        ("general/x.rs", "use crate::api::Registry;"),
        ("script/x.rs", "use crate::spack::spec::Spec;"),
        ("script/x.rs", "use crate::term::Printer;"),
        ("term/x.rs", "use crate::script::Host;"),
        ("repl/x.rs", "use crate::cli::main;"),
        ("api/x.rs", "use crate::script::Host;"),
        ("nowhere/x.rs", ""),
        ("spack/x.rs", "fn f() { std::process::Command::new(\"ls\"); }"),
        ("spack/x.rs", "use std::process;\nfn f() { process::Command::new(\"ls\"); }"),
        ("spack/x.rs", "use std::process::Command as Run;\nfn f() { Run::new(\"ls\"); }"),
        ("spack/x.rs", "use std::{process::*};"),
        ("spack/x.rs", "use tokio::process::Command;"),
        ("cli/x.rs", "fn f() { std::process::abort(); }"),
        ("check/x.rs", "use std::fs;\nfn f() { fs::write(\"a\", \"b\"); }"),
        ("check/x.rs", "use std::{fs as disk, path::Path};\nfn f() { disk::remove_file(\"a\"); }"),
        ("check/x.rs", "use std::fs::*;"),
        ("check/x.rs", "use std::fs::{self, write};"),
        ("check/x.rs", "use std::fs::File;\nfn f() { File::create(\"a\"); }"),
        ("check/x.rs", "fn f() { std::fs::OpenOptions::new(); }"),
        ("check/x.rs", "fn f() { std::os::unix::fs::symlink(\"a\", \"b\"); }"),
        ("check/x.rs", "fn f() { fs_err::write(\"a\", \"b\"); }"),
        ("check/x.rs", "use tokio::fs::write;"),
        ("check/x.rs", "fn f() { std::fs::read(\"a\"); }"),
        ("practice/x.rs", "fn f() { std::fs::rename(\"a\", \"b\"); }"),
        ("site/x.rs", "use tempfile::tempdir;"),
        ("general/x.rs", "use reqwest::Client;"),
        ("general/x.rs", "use std::net::TcpStream;"),
        ("general/x.rs", "use std::os::unix::net::UnixStream;"),
        ("spack/x.rs", "use nix::sys::signal::kill;"),
        ("spack/x.rs", "fn f() { nix::unistd::unlink(\"a\"); }"),
        ("spack/x.rs", "fn f() { libc::fork(); }"),
        ("spack/x.rs", "fn f() { println!(\"x\"); }"),
        ("check/x.rs", "use mlua::Lua;"),
        ("site/x.rs", "use rhai::Engine;"),
        ("policy/x.rs", "use crate::world::World;"),
        ("world/x.rs", "use crate::policy::Policies;"),
        ("world/x.rs", "fn f() { std::env::set_var(\"a\", \"b\"); }"),
        ("check/x.rs", "#[cfg(test)]\nmod tests {}\nuse std::fs::write;"),
        ("check/x.rs", "const A: &str = \"// no comment\"; use std::fs::write;"),
        ("check/x.rs", "fn f<'a>(x: &'a str) { std::fs::write(\"a\", \"b\"); }"),
    ];
    for (file, text) in cases {
        assert!(!broken(&allowed, file, text).is_empty(), "not found in src/{file}:\n{text}");
    }
}

#[test]
fn what_is_allowed_is_not_called_broken() {
    let allowed = drawn();
    let cases = [
        ("world/x.rs", "use std::process::Command;\nfn f() { std::fs::write(\"a\", \"b\"); }"),
        ("cli/x.rs", "use crate::{api::Registry, practice};\nfn f() { std::process::exit(1); }"),
        ("check/x.rs", "// std::fs::write\n/* println!() */ const A: &str = \"std::process::Command\";"),
        ("check/x.rs", "const A: &str = r#\"\" use std::fs::write; \"#;"),
        ("check/x.rs", "#[cfg(test)]\nmod tests {\n    use std::fs::write;\n}"),
        ("check/checks/x.rs", "use super::super::finding::Finding;\nuse crate::spack::spec::Spec;"),
        ("spack/x.rs", "fn f() { std::process::id(); nix::unistd::getuid(); }"),
        ("practice/x.rs", "use std::fs;\nfn f() { fs::read(\"a\"); fs::File::open(\"b\"); }"),
        ("script/x.rs", "use mlua::Lua;\nuse crate::api::Registry;\nuse crate::reference::help;"),
        ("spack/x.rs", "mod process {}\nfn f(general: u8) { general.script(); }"),
    ];
    for (file, text) in cases {
        assert_eq!(broken(&allowed, file, text), Vec::<String>::new(), "{text}");
    }
}

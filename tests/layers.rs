//! Who may use whom. Reads the sources and names the offending line; the picture is in `src/lib.rs`.

use std::path::{Path, PathBuf};

/// A folder below `src`, and what it may `use crate::…`.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &["base"]),
    ("world", &["base", "world"]),
    ("site", &["base", "world", "site"]),
    ("spack", &["base", "world", "site", "spack"]),
    ("general", &["base", "world", "site", "spack", "general"]),
    ("check", &["base", "world", "site", "spack", "check"]),
    ("practice", &["base", "world", "site", "spack", "practice"]),
    ("api", &["base", "world", "site", "spack", "general", "check", "practice", "api"]),
    ("reference", &["base", "world", "site", "api", "reference"]),
    ("term", &["base", "world", "site", "api", "reference", "term"]),
    ("script", &["base", "world", "site", "api", "reference", "script"]),
    ("repl", &["base", "world", "site", "api", "reference", "term", "script", "repl"]),
    (
        "cli",
        &[
            "base",
            "world",
            "site",
            "spack",
            "general",
            "check",
            "practice",
            "api",
            "reference",
            "term",
            "script",
            "repl",
            "cli",
        ],
    ),
];

/// A word, and the folders (or files) that may name it.
const WORDS: &[(&str, &[&str])] = &[
    ("mlua", &["script", "repl", "cli"]),
    ("clap::", &["script/workflow.rs", "cli"]),
    ("clap_complete", &["cli"]),
    ("rustyline", &["repl"]),
    ("comfy_table", &["term"]),
    ("annotate_snippets", &["term"]),
    ("println!", &["term", "cli", "repl"]),
    ("eprintln!", &["term", "cli", "repl"]),
    ("std::process::Command", &["world"]),
    ("tokio::process", &["world"]),
    ("fs::write", &["world", "base/atomic.rs", "practice/disk.rs"]),
    ("fs::create_dir", &["world", "practice/disk.rs"]),
    ("fs::remove", &["world", "practice/disk.rs"]),
    ("fs::rename", &["world", "practice/disk.rs"]),
    ("fs::copy", &["world", "practice/disk.rs"]),
    ("fs::set_permissions", &["world", "practice/disk.rs"]),
    ("File::create", &["world", "practice/disk.rs"]),
    ("OpenOptions", &["world", "practice/disk.rs"]),
    ("unix::fs::symlink", &["world", "practice/disk.rs"]),
    ("reqwest", &["general/http.rs", "world"]),
    ("rusqlite", &["world", "check/history.rs"]),
    ("unsafe ", &["script/error.rs"]),
];

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

/// The part of a file that is shipped: everything before its test module.
fn shipped(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let end = text.find("#[cfg(test)]\nmod tests").unwrap_or(text.len());
    text[..end]
        .lines()
        .enumerate()
        .map(|(n, line)| (n + 1, line.split_once("//").map_or(line, |(code, _)| code)))
        .filter(|(_, line)| !line.trim().is_empty())
}

fn violations() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut bad = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let folder = relative.split_once('/').map_or("", |(f, _)| f);
        let allowed = LAYERS.iter().find(|(name, _)| *name == folder).map(|(_, may)| *may);
        if !folder.is_empty() && allowed.is_none() {
            bad.push(format!("src/{relative}: the folder has no place in the layers"));
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for (number, line) in shipped(&text) {
            for used in line.split("crate::").skip(1) {
                let module: String =
                    used.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let is_layer = LAYERS.iter().any(|(name, _)| *name == module);
                if is_layer && allowed.is_some_and(|may| !may.contains(&module.as_str())) {
                    bad.push(format!("src/{relative}:{number}: {folder} may not use {module}"));
                }
            }
            for (word, may) in WORDS {
                let permitted = may.iter().any(|m| relative == *m || relative.starts_with(&format!("{m}/")));
                if !folder.is_empty() && line.contains(word) && !permitted {
                    bad.push(format!("src/{relative}:{number}: '{word}' belongs to {}", may.join(", ")));
                }
            }
        }
    }
    bad
}

#[test]
fn each_layer_uses_only_those_below_it() {
    let bad = violations();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

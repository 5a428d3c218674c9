//! Asks a program for its version, and finds version numbers in what it answers.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use crate::base::Result;
use crate::site::Cx;
use crate::world::Action;
use crate::world::proc::program::{Ended, Program, Ran, Tail};

static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\d+(?:\.\d+)+").ok());

/// Runs a program that only states something, in the site's environment, in plain English.
pub async fn ask(cx: &Cx, argv: &[&str], limit: Duration) -> Result<Ran> {
    let mut env: BTreeMap<String, String> = cx.site.variables.clone();
    env.insert("LC_ALL".to_owned(), "C".to_owned());
    let program = Program {
        argv: argv.iter().map(|a| (*a).to_owned()).collect(),
        env,
        clear_env: true,
        timeout: Some(limit),
        tail: Tail(64 * 1024),
        ..Program::default()
    };
    Ok(cx.world.perform(Action::look(program)).await?.ran())
}

/// What a program says about its version.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// All numbers of the first lines that look like versions.
    Versions(Vec<String>),
    /// It ran, but said nothing of the kind.
    Nothing,
    /// It did not end in time.
    Hangs,
    /// It could not be run, or failed.
    Fails(String),
}

pub async fn version(cx: &Cx, path: &Path, limit: Duration) -> Result<Answer> {
    let shown = path.display().to_string();
    let ran = match ask(cx, &[&shown, "--version"], limit).await {
        Ok(ran) => ran,
        Err(t) if t.is(crate::base::Kind::Cancelled) => return Err(t),
        Err(t) => return Ok(Answer::Fails(t.message().to_owned())),
    };
    if ran.ended == Some(Ended::Timeout) {
        return Ok(Answer::Hangs);
    }
    let said = format!("{}\n{}", ran.stdout, ran.stderr);
    if !ran.ok() {
        let how = match (ran.code, ran.signal) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        let first = said.lines().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
        return Ok(Answer::Fails(format!("{how} {first}").trim_end().to_owned()));
    }
    Ok(match numbers(&said) {
        found if found.is_empty() => Answer::Nothing,
        found => Answer::Versions(found),
    })
}

/// The version-like numbers of the first lines, in order.
fn numbers(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|l| !l.trim().is_empty()).take(4);
    let Some(number) = NUMBER.as_ref() else { return Vec::new() };
    lines.flat_map(|line| number.find_iter(line).map(|m| m.as_str().to_owned())).collect()
}

/// Whether one of the answered versions is the recorded one: the same, or the same as far as both go.
pub fn agrees(recorded: &str, answered: &[String]) -> bool {
    let recorded: Vec<&str> = recorded.trim_start_matches('=').split(['.', '-', '_']).collect();
    answered.iter().any(|version| version.split('.').zip(&recorded).all(|(a, b)| a == *b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_real_compilers_are_found() {
        for (said, recorded, agree) in [
            ("gcc (Debian 12.2.0-14) 12.2.0\nCopyright", "12.2.0", true),
            ("gcc (Debian 12.2.0-14) 12.2.0\nCopyright", "=12.2.0", true),
            ("gcc (Debian 12.2.0-14) 12.2.0\nCopyright", "12", true),
            ("gcc (Debian 12.2.0-14) 12.2.0\nCopyright", "12.3.0", false),
            ("gcc (GCC) 13.1.0", "12.2.0", false),
            ("clang version 17.0.6 (Fedora 17.0.6-2.fc39)", "17.0.6", true),
            ("\nnvc 24.3-0 64-bit target on x86-64 Linux", "24.3", true),
            ("Intel(R) oneAPI DPC++/C++ Compiler 2024.1.0 (2024.1.0.20240308)", "2024.1.0", true),
            ("This is perl 5, version 36, subversion 0 (v5.36.0)", "5.36.0", true),
            ("clang version 16.0.0", "16.0.0-rocm", true),
        ] {
            assert_eq!(agrees(recorded, &numbers(said)), agree, "{recorded} in {said:?}");
        }
        assert!(numbers("no version here, but 12 apples").is_empty());
    }
}

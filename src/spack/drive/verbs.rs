//! Which of Spack's commands only look. Everything that is not known to look counts as a change.

use crate::world::Effect;

/// A verb and the words after it that keep it a look; no words: always.
const READS: &[(&str, &[&str])] = &[
    ("arch", &[]),
    ("audit", &[]),
    ("blame", &[]),
    ("bootstrap", &["status", "list"]),
    ("buildcache", &["list", "check", "check-index", "get-buildcache-name"]),
    ("commands", &[]),
    ("compiler", &["list", "ls", "info"]),
    ("compilers", &[]),
    ("config", &["get", "blame", "list", "scopes"]),
    ("debug", &["report"]),
    ("dependencies", &[]),
    ("dependents", &[]),
    ("diff", &[]),
    ("docs", &[]),
    ("env", &["list", "ls", "status", "st", "loads"]),
    ("extensions", &[]),
    ("external", &["list"]),
    ("find", &[]),
    ("gpg", &["list", "verify"]),
    ("graph", &[]),
    ("help", &[]),
    ("info", &[]),
    ("license", &["list-files", "verify"]),
    ("list", &[]),
    ("load", &[]),
    ("location", &[]),
    ("log-parse", &[]),
    ("logs", &[]),
    ("maintainers", &[]),
    ("mirror", &["list", "ls"]),
    ("pkg", &["list", "diff", "added", "changed", "removed", "source", "grep", "hash"]),
    ("providers", &[]),
    ("repo", &["list", "ls"]),
    ("resource", &["list", "show"]),
    ("solve", &[]),
    ("spec", &[]),
    ("tags", &[]),
    ("test", &["list", "find", "status", "results"]),
    ("unload", &[]),
    ("url", &["parse", "list", "summary", "stats"]),
    ("verify", &[]),
    ("versions", &[]),
];

/// Spack's global options that take a value as the next word.
const WITH_VALUE: &[&str] =
    &["-e", "--env", "-D", "--env-dir", "-C", "--config-scope", "-c", "--config", "--color"];

/// Where the verb stands among the words.
pub fn verb_at(words: &[String]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if !word.starts_with('-') {
            return Some(at);
        }
        at += if WITH_VALUE.contains(&word.as_str()) { 2 } else { 1 };
    }
    None
}

/// What a command line does, given without the program itself.
pub fn effect(words: &[String]) -> Effect {
    let Some(at) = verb_at(words) else {
        let asks = |w: &String| matches!(w.as_str(), "-h" | "--help" | "-H" | "-V" | "--version");
        return if words.iter().any(asks) { Effect::Reads } else { Effect::Changes };
    };
    let rest = words.get(at + 1..).unwrap_or_default();
    let known = READS.iter().find(|(verb, _)| words.get(at).is_some_and(|w| w == verb));
    match known {
        Some((_, [])) => Effect::Reads,
        Some((_, allowed)) => {
            let second = rest.iter().find(|w| !w.starts_with('-'));
            if second.is_some_and(|w| allowed.contains(&w.as_str())) {
                Effect::Reads
            } else {
                Effect::Changes
            }
        }
        None => Effect::Changes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_look_changes() {
        let cases = [
            ("find --json", Effect::Reads),
            ("-e science find", Effect::Reads),
            ("-c config:build_jobs:4 spec zlib", Effect::Reads),
            ("env list", Effect::Reads),
            ("env create x", Effect::Changes),
            ("config get mirrors", Effect::Reads),
            ("config --scope user get mirrors", Effect::Changes),
            ("config add x:y", Effect::Changes),
            ("install zlib", Effect::Changes),
            ("frobnicate", Effect::Changes),
            ("python -c pass", Effect::Changes),
            ("buildcache list", Effect::Reads),
            ("buildcache keys -it", Effect::Changes),
            ("--version", Effect::Reads),
            ("", Effect::Changes),
        ];
        for (line, expected) in cases {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            assert_eq!(effect(&words), expected, "{line}");
        }
    }
}

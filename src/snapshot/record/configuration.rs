//! The configuration files that an environment is under, without the secrets in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::{Captures, Regex};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, redact};
use crate::site::Cx;
use crate::spack::drive::session::Scope;
use crate::world::Eyes;

/// Older releases have the secret beside its name in a list.
static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?m)(?P<key>access_pair:)(?:[ \t]*\[[^\]]*\]|(?:[ \t]*(?:#[^\n]*)?\n[ \t]*-[^\n]*)+)").ok()
});

/// A file of configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigurationFile {
    /// Spack's name for the scope.
    pub scope: String,
    pub path: PathBuf,
    /// What it says, secrets as `***`.
    pub text: String,
    /// There were secrets, so the text alone does not restore it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub masked: bool,
    /// The environment includes it; others are under the site's or the user's scopes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub included: bool,
}

/// Every file of every scope in effect but the manifest, lowest precedence first.
pub fn read(cx: &Cx, scope: &Scope) -> Result<Vec<ConfigurationFile>> {
    let eyes = &*cx.world.eyes;
    let environment = scope.inside()?;
    let manifest = environment.manifest_file();
    let site = scope.spack.config(cx, None)?;
    let outside: BTreeSet<&Path> = site.scopes.iter().filter_map(|s| s.path.as_deref()).collect();
    let mut out = Vec::new();
    for info in scope.config.scopes.iter().filter(|s| s.exists) {
        let Some(path) = info.path.as_ref().filter(|path| **path != manifest) else { continue };
        let included = !outside.contains(path.as_path());
        for file in files(eyes, path)? {
            let text = match eyes.read_text(&file) {
                Err(trouble) if trouble.is(Kind::NotFound) => continue,
                other => other?,
            };
            let shown = masked(&text);
            let masked = shown != text;
            out.push(ConfigurationFile {
                scope: info.name.clone(),
                path: file,
                text: shown,
                masked,
                included,
            });
        }
    }
    Ok(out)
}

/// A scope is one file, or a folder with one for each section.
fn files(eyes: &dyn Eyes, path: &Path) -> Result<Vec<PathBuf>> {
    if !eyes.is_folder(path)? {
        return Ok(vec![path.to_owned()]);
    }
    let names = eyes.list(path)?;
    let yaml = |name: &String| Path::new(name).extension().is_some_and(|e| e == "yaml");
    Ok(names.iter().filter(|name| yaml(name)).map(|name| path.join(name)).collect())
}

/// The text without secrets.
pub fn masked(text: &str) -> String {
    let text = redact::redact(text);
    match PAIR.as_ref() {
        Some(pair) if text.contains("access_pair") => pair
            .replace_all(&text, |found: &Captures<'_>| {
                if holds_nothing(&found[0]) {
                    found[0].to_owned()
                } else {
                    format!("{} '***'", &found["key"])
                }
            })
            .into_owned(),
        _ => text,
    }
}

/// A pair of nulls, as Spack itself wrote it for a mirror without a secret.
fn holds_nothing(pair: &str) -> bool {
    let items = pair.trim_start_matches("access_pair:").trim().trim_matches(['[', ']']);
    items.split([',', '\n']).map(|item| item.trim().trim_start_matches("- ")).all(redact::is_null)
}

/// The lines that seem to hold secrets: their numbers, and what they say without them.
pub fn secrets(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut out = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let is_item = |line: &&str| line.trim_start().starts_with("- ");
        let opens_pair = line.trim_end().ends_with("access_pair:") && lines.get(at + 1).is_some_and(is_item);
        let pair = || lines[at..].iter().take_while(|line| **line == lines[at] || is_item(line));
        let opens_pair =
            opens_pair && !holds_nothing(pair().map(|l| l.trim()).collect::<Vec<_>>().join("\n").as_str());
        let shown = if opens_pair { format!("{line} '***'") } else { masked(line) };
        if shown != *line {
            out.push((at + 1, shown.trim().to_owned()));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_and_all_else_stays() {
        let cases = [
            ("config:\n  build_jobs: 4\n", "config:\n  build_jobs: 4\n"),
            ("m:\n  access_pair: [me, geheim]\n  url: x\n", "m:\n  access_pair: '***'\n  url: x\n"),
            ("m:\n  access_pair:\n  - me\n  - geheim\n  url: x\n", "m:\n  access_pair: '***'\n  url: x\n"),
            ("url: https://me:geheim@host/x\n", "url: https://***@host/x\n"),
            ("secret_variable: NAME\n", "secret_variable: NAME\n"),
            ("access_token: geheim\n", "access_token: ***\n"),
            ("access_token: null\n", "access_token: null\n"),
            ("m:\n  access_pair: [null, null]\n", "m:\n  access_pair: [null, null]\n"),
            ("m:\n  access_pair:\n  - null\n  - ~\n", "m:\n  access_pair:\n  - null\n  - ~\n"),
            ("m:\n  access_pair: [null, geheim]\n", "m:\n  access_pair: '***'\n"),
        ];
        for (text, wanted) in cases {
            assert_eq!(masked(text), wanted);
        }
    }

    #[test]
    fn lines_with_secrets_are_numbered() {
        let text =
            "a: 1\nurl: https://me:geheim@host/x\nm:\n  access_pair:\n  - me\n  - geheim\nid_variable: X\n";
        let found = secrets(text);
        assert_eq!(found, [(2, "url: https://***@host/x".to_owned()), (4, "access_pair: '***'".to_owned())]);
        assert!(secrets("m:\n  access_pair:\n  - null\n  - null\n").is_empty());
        assert!(secrets("specs:\n- hdf5\n").is_empty());
    }
}

//! What Spack refuses of its own configuration. Only Spack knows its schemas: it is asked once, and its answer is kept
//! as long as files, variables and Spack are the same.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::base::{Kind, Result, Trouble, digest, redact};
use crate::site::Cx;
use crate::spack::config::keys;
use crate::spack::drive::invocation::Invocation;
use crate::spack::drive::invoke;
use crate::spack::drive::session::Scope;
use crate::world::{Action, Eyes};

/// Something that Spack does not accept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// `file:line`, where Spack says it.
    pub place: Option<String>,
    /// Spack's reason.
    pub why: String,
}

/// An answer and what it was an answer to.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    key: String,
    refusals: Vec<Refusal>,
}

const FILE: &str = "configuration-refusals.json";
/// What our line of the output begins with: recipes and site hooks may print as well.
const MARK: &str = "moonstack-configuration:";

/// Lets Spack read every section of every scope, as it does itself when it needs one.
const PROGRAM: &str = r#"
import json
import spack.config
found = []
for scope in list(spack.config.CONFIG.scopes.values()):
    for section in list(spack.config.SECTION_SCHEMAS):
        try:
            scope.get_section(section)
        except Exception as e:
            if str(e) not in found:
                found.append(str(e))
print("moonstack-configuration:" + json.dumps(found))
"#;

static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?s)^(/[^\n]*?:\d+): (.*)$").ok());

/// Spack's answer, asked for or kept.
pub async fn refusals(cx: &Cx, scope: &Scope, limit: Duration) -> Result<Vec<Refusal>> {
    let key = {
        let scope = scope.clone();
        cx.blocking(move |cx| key(&cx, &scope)).await?
    };
    let file = cx.site.state.join(FILE);
    let kept =
        cx.world.eyes.read_own(&file).ok().and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).ok());
    if let Some(kept) = kept.filter(|kept| kept.key == key) {
        return Ok(kept.refusals);
    }
    let refusals = ask(cx, scope, limit).await?;
    // What comes from a server or a repository may change without a file here that says so.
    if scope.config.not_understood.is_empty() {
        let kept = Kept { key, refusals: refusals.clone() };
        // Who may not write here asks again the next time.
        let _ = keep(cx, file, &kept).await;
    }
    Ok(refusals)
}

async fn keep(cx: &Cx, path: PathBuf, kept: &Kept) -> Result<()> {
    let bytes = serde_json::to_vec(kept)
        .map_err(|e| Trouble::new(Kind::Internal, format!("an answer is no JSON: {e}")))?;
    if !cx.world.eyes.finds_folder(&cx.site.state) {
        cx.world.keep(Action::MakeFolder { path: cx.site.state.clone() }).await?;
    }
    cx.world.keep(Action::WriteFile { path, bytes, mode: None, varies: true }).await.map(drop)
}

async fn ask(cx: &Cx, scope: &Scope, limit: Duration) -> Result<Vec<Refusal>> {
    // `spack python` takes one statement. A text of JSON is one of Python, too.
    let program = format!("exec({})", serde_json::Value::from(PROGRAM));
    let invocation = Invocation { timeout: Some(limit), ..Invocation::reads(["python", "-c", &program]) };
    let answer = invoke::run(cx, scope, invocation).await?;
    if let Some(trouble) = answer.limit() {
        return Err(trouble);
    }
    let told = answer.ran.stdout.lines().find_map(|line| line.strip_prefix(MARK));
    if let Some(found) = told.and_then(|json| serde_json::from_str::<Vec<String>>(json).ok()) {
        return Ok(found.iter().map(|text| refusal(text)).collect());
    }
    // A section that every command needs: Spack ends before it comes to anything.
    let said: Vec<&str> = answer.ran.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = said.iter().find_map(|line| line.strip_prefix("==> Error: "));
    match first.or(said.last().copied()).filter(|_| !answer.ran.ok()) {
        Some(why) => Ok(vec![refusal(why)]),
        None => Err(answer.about(Trouble::new(
            Kind::Program,
            format!("{} said nothing of the configuration", answer.title),
        ))),
    }
}

fn refusal(text: &str) -> Refusal {
    let text = redact::redact(text.trim());
    let found = PLACE.as_ref().and_then(|re| re.captures(&text));
    match found {
        Some(found) => Refusal { place: Some(found[1].to_owned()), why: one_line(&found[2]) },
        None => Refusal { place: None, why: one_line(&text) },
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// All that the answer depends on.
fn key(cx: &Cx, scope: &Scope) -> Result<String> {
    let installation = &scope.spack.installation;
    let mut text = format!(
        "{}\n{}\n{}\n{:?}\n{:?}\n",
        env!("CARGO_PKG_VERSION"),
        installation.root.display(),
        installation.version_text,
        installation.commit,
        installation.python
    );
    for name in scope.config.named.of_paths() {
        text.push_str(&format!("{name}={:?}\n", cx.site.variables.get(name)));
    }
    for info in &scope.config.scopes {
        let Some(path) = &info.path else { continue };
        text.push_str(&format!("{} {}\n", info.name, path.display()));
        for file in files(&*cx.world.eyes, scope, path) {
            match cx.world.eyes.digest(&file) {
                Ok(digest) => text.push_str(&format!("{} {digest}\n", file.display())),
                Err(trouble) if trouble.is(Kind::NotFound) => {}
                Err(trouble) => return Err(trouble),
            }
        }
    }
    Ok(digest::bytes(text.as_bytes()))
}

/// The files of a scope: one for each section in a folder, or itself.
fn files(eyes: &dyn Eyes, scope: &Scope, path: &Path) -> Vec<PathBuf> {
    let sections = keys::sections(scope.config.release);
    let in_folder = sections.iter().map(|section| path.join(format!("{section}.yaml")));
    in_folder.chain([path.to_owned()]).filter(|file| eyes.finds_file(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_out_of_what_spack_says() {
        let told = refusal("/etc/spack/packages.yaml:3: 'maybe' is not of type\n  'boolean'");
        assert_eq!(told.place.as_deref(), Some("/etc/spack/packages.yaml:3"));
        assert_eq!(told.why, "'maybe' is not of type 'boolean'");
        assert_eq!(refusal("something else: 3: x").place, None);
    }
}

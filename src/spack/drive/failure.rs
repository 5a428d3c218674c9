//! What went wrong, from what Spack printed: a kind that scripts and monitors can act on, the first lines that
//! say why, the package, and its build log.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use schemars::JsonSchema;
use serde::Serialize;

use super::events::name_of;
use super::invoke::Answer;
use super::signs::kind_of;
use crate::base::{Kind, Trouble, redact};
use crate::world::Eyes;

/// How many lines of an error are repeated.
const LINES: usize = 5;
/// How much of a line.
const WIDTH: usize = 300;
/// Build logs are searched from their end, this far.
const LOG_END: usize = 64 * 1024;

/// A package that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PackageFailure {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// fetch, build, lock, disk, permission, signal, …
    pub kind: String,
    /// The first lines that say why.
    pub errors: Vec<String>,
    /// Its build log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// What an invocation failed of.
#[derive(Debug, Clone)]
pub struct Failure {
    pub kind: Kind,
    pub errors: Vec<String>,
    pub packages: Vec<PackageFailure>,
}

static STAGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"spack-stage-([A-Za-z0-9_.+-]+?)-([a-z2-7]{32})\b").ok());
static SUBJECT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^==> Error: ([A-Za-z0-9_.+-]+?)-([a-z2-7]{32}): (.*)").ok());
static DUE_TO: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^==> Error: Failed to install (\S+) due to ").ok());
static LISTED: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(\S+)@(\S+)/([a-z2-7]{32}): (/.*)$").ok());

/// Reads what an invocation printed, and the build logs that it names.
pub fn classify(eyes: &dyn Eyes, answer: &Answer) -> Failure {
    let mut failure = read(&answer.ran.stderr);
    for package in &mut failure.packages {
        look_into_log(eyes, package);
    }
    if answer.ran.signal.is_some() && !matches!(failure.kind, Kind::Disk | Kind::Fetch) {
        failure.kind = Kind::Signal;
    }
    if failure.kind == Kind::Program || failure.kind == Kind::Build {
        let first = failure.packages.first().and_then(|p| Kind::named(&p.kind));
        failure.kind = first.unwrap_or(failure.kind);
    }
    if failure.errors.is_empty() {
        let text = if answer.ran.stderr.trim().is_empty() { &answer.ran.stdout } else { &answer.ran.stderr };
        failure.errors = last_lines(text);
    }
    failure
}

/// Reads standard error alone.
pub fn read(stderr: &str) -> Failure {
    let mut failure = Failure { kind: Kind::Program, errors: Vec::new(), packages: Vec::new() };
    let mut summary = false;
    for block in blocks(stderr) {
        let Some(first) = block.first().filter(|line| line.starts_with("==> Error:")) else { continue };
        let text = block.join("\n");
        let kind = kind_of(&text);
        if failure.kind == Kind::Program {
            failure.kind = kind.unwrap_or(Kind::Program);
        }
        if first.contains("The following packages failed to install") {
            summary = true;
            failure.packages.extend(block.iter().filter_map(|line| listed(line)));
            failure.kind = Kind::Build;
        } else if let Some(package) = package_of(&block, &text, kind) {
            add(&mut failure.packages, package);
        } else if first.contains("Installation request failed") {
            summary = true;
        }
        if failure.errors.len() < LINES && !first.ends_with(": Package was not installed") {
            failure.errors.extend(telling(&block));
            failure.errors.truncate(LINES);
        }
    }
    // A root that only waited for what failed is not a failure of its own.
    let waited = |p: &PackageFailure| p.kind == "not_done" && p.log.is_none();
    if summary && failure.packages.iter().any(|p| !waited(p)) {
        failure.packages.retain(|p| !waited(p));
    }
    failure
}

/// Standard error in pieces that begin with `==> `.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    let mut out: Vec<Vec<&str>> = Vec::new();
    for line in text.lines() {
        // The whole log may follow with --show-log-on-error; its phase lines begin alike.
        if line.starts_with("==> Error:") || line.starts_with("==> Warning:") || out.is_empty() {
            out.push(Vec::new());
        }
        if let Some(last) = out.last_mut() {
            last.push(line);
        }
    }
    out
}

fn package_of(block: &[&str], text: &str, kind: Option<Kind>) -> Option<PackageFailure> {
    let first = block.first()?;
    let log = block
        .iter()
        .position(|line| line.starts_with("See build log for details"))
        .and_then(|at| block.get(at + 1))
        .map(|line| line.trim().to_owned());
    let (name, hash) = if let Some(m) = SUBJECT.as_ref().and_then(|re| re.captures(first)) {
        (name_of(&m[1]).to_owned(), Some(m[2].to_owned()))
    } else if let Some(m) = STAGE.as_ref().and_then(|re| re.captures(text)) {
        (name_of(&m[1]).to_owned(), Some(m[2].to_owned()))
    } else {
        let m = DUE_TO.as_ref().and_then(|re| re.captures(first))?;
        (m[1].to_owned(), None)
    };
    let not_done = first.ends_with(": Package was not installed");
    let kind = if not_done { Kind::NotDone } else { kind.unwrap_or(Kind::Build) };
    let errors = if not_done { Vec::new() } else { telling(block) };
    Some(PackageFailure { name, hash, kind: kind.name().to_owned(), errors, log })
}

/// One line of the new installer's list.
fn listed(line: &str) -> Option<PackageFailure> {
    let m = LISTED.as_ref()?.captures(line)?;
    Some(PackageFailure {
        name: m[1].to_owned(),
        hash: Some(m[3].to_owned()),
        kind: Kind::Build.name().to_owned(),
        errors: Vec::new(),
        log: Some(m[4].to_owned()),
    })
}

/// Keeps one entry a package: the first that says more than that it is missing.
fn add(packages: &mut Vec<PackageFailure>, new: PackageFailure) {
    let same = |p: &PackageFailure| p.name == new.name && (p.hash == new.hash || new.hash.is_none());
    match packages.iter_mut().find(|p| same(p)) {
        None => packages.push(new),
        Some(known) if known.errors.is_empty() && !new.errors.is_empty() => *known = new,
        Some(_) => {}
    }
}

/// The line after "Error:" and the marked lines of an excerpt.
fn telling(block: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(first) = block.first() {
        out.push(first.trim_start_matches("==> Error:").trim().to_owned());
    }
    let marked = block.iter().filter_map(|line| line.trim_start().strip_prefix(">> "));
    let without_number = |line: &str| line.trim_start_matches(|c: char| c.is_ascii_digit()).trim().to_owned();
    out.extend(marked.map(without_number));
    if out.len() == 1 {
        let more = block.iter().skip(1).map(|line| line.trim()).filter(|line| !line.is_empty());
        out.extend(
            more.take_while(|line| !line.starts_with("See build log")).take(LINES - 1).map(str::to_owned),
        );
    }
    out.into_iter().take(LINES).map(|line| short(&line)).collect()
}

fn short(line: &str) -> String {
    let cut: String = line.chars().take(WIDTH).collect();
    redact::redact(if cut.len() < line.len() { &cut } else { line })
}

fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(LINES)).map(|line| short(line)).collect()
}

/// The new installer prints no excerpt, and a full disk shows only in the log.
fn look_into_log(eyes: &dyn Eyes, package: &mut PackageFailure) {
    let Some(bytes) = package.log.as_deref().and_then(|log| eyes.read(Path::new(log)).ok()) else { return };
    let end = bytes.get(bytes.len().saturating_sub(LOG_END)..).unwrap_or_default();
    let text = String::from_utf8_lossy(end);
    let named = kind_of(&text).filter(|k| matches!(k, Kind::Disk | Kind::Fetch));
    let generic = package.errors.is_empty();
    if let Some(kind) = named.filter(|k| generic || *k == Kind::Disk) {
        kind.name().clone_into(&mut package.kind);
    }
    if generic {
        let says = |line: &&str| {
            let low = line.to_ascii_lowercase();
            low.contains("error:") || low.contains("error ") || low.starts_with("fatal")
        };
        package.errors = text.lines().filter(says).map(|line| short(line.trim())).take(LINES).collect();
        if package.errors.is_empty() {
            package.errors = last_lines(&text);
        }
    }
}

impl Failure {
    /// The first error; of one that announces a list, what it lists.
    fn why(&self) -> String {
        match self.errors.as_slice() {
            [] => "it did not say why".to_owned(),
            [first, listed @ ..] if first.ends_with(':') && !listed.is_empty() => {
                format!("{first} {}", listed.join("; "))
            }
            [first, ..] => first.clone(),
        }
    }

    /// The error that the operation ends with.
    pub fn trouble(&self, answer: &Answer) -> Trouble {
        let why = self.why();
        let message = match self.packages.first() {
            Some(first) if self.packages.len() == 1 => {
                format!("{}: {} failed: {why}", answer.title, first.name)
            }
            Some(first) => {
                format!(
                    "{}: {} packages failed, {} first: {why}",
                    answer.title,
                    self.packages.len(),
                    first.name
                )
            }
            // Whoever was killed said nothing of it; the last line is not the reason.
            None if let Some(signal) = answer.ran.signal => {
                format!("{} was ended by signal {signal}", answer.title)
            }
            None => format!("{} failed: {why}", answer.title),
        };
        let mut trouble = answer.about(Trouble::new(self.kind, message)).fact("errors", self.errors.clone());
        if !self.packages.is_empty() {
            trouble = trouble
                .fact("failed", serde_json::to_value(&self.packages).unwrap_or(serde_json::Value::Null));
        }
        if let Some(log) = self.packages.iter().find_map(|p| p.log.as_ref()) {
            trouble = trouble.fact("build_log", log.as_str()).hint(format!("the build log is {log}"));
        } else if let Some(log) = answer.written_log() {
            trouble = trouble.hint(format!("everything that Spack printed is in {}", log.display()));
        }
        if matches!(self.kind, Kind::Fetch | Kind::Lock) { trouble.retryable() } else { trouble }
    }
}

/// Fails unless Spack ended well: a limit, or what its output says.
pub fn check(eyes: &dyn Eyes, answer: &Answer) -> Result<(), Trouble> {
    if let Some(trouble) = answer.limit() {
        return Err(trouble);
    }
    if answer.ran.ok() {
        return Ok(());
    }
    Err(classify(eyes, answer).trouble(answer))
}

/// The path of a log if it is there.
pub fn existing(eyes: &dyn Eyes, log: Option<&str>) -> Option<PathBuf> {
    log.map(PathBuf::from).filter(|path| eyes.finds_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! recorded {
        ($name:literal) => {
            include_str!(concat!("../../../tests/fixtures/spack-output/", $name, ".stderr"))
        };
    }

    #[test]
    fn recorded_failures_have_a_kind_and_say_why() {
        let cases: &[(&str, &str, Kind, &str)] = &[
            ("0.23 build", recorded!("0.23/install-fail"), Kind::Build, "Command exited with status 2"),
            ("1.2 build", recorded!("1.2/install-fail"), Kind::Build, "Command exited with status 2"),
            ("1.2 fail fast", recorded!("1.2/failfast"), Kind::Build, "deliberate InstallError"),
            ("1.2 skipped", recorded!("1.2/skipped"), Kind::Build, "Command exited with status 2"),
            ("0.23 several", recorded!("0.23/env-install"), Kind::Fetch, "sha256 checksum failed"),
            ("0.23 corrupt", recorded!("0.23/corrupt"), Kind::Fetch, "sha256 checksum failed"),
            ("0.23 untrusted", recorded!("0.23/untrusted"), Kind::Fetch, "unable to verify"),
            ("1.2 corrupt", recorded!("1.2/corrupt"), Kind::Fetch, "No binary found when cache-only"),
            ("0.23 unsat", recorded!("0.23/unsat"), Kind::Concretization, "no slow in 2.0"),
            ("1.2 unsat", recorded!("1.2/unsat"), Kind::Concretization, "no slow in 2.0"),
            ("1.2 unknown", recorded!("1.2/unknown-pkg"), Kind::Concretization, "does not exist"),
            ("1.2 locked", recorded!("1.2/locked"), Kind::Lock, "Timed out"),
            ("1.2 new installer", recorded!("1.2/new-fail"), Kind::Build, "failed to install"),
            ("1.2 no stdin", recorded!("1.2/devnull"), Kind::Program, "Operation not permitted"),
        ];
        for (name, stderr, kind, says) in cases {
            let failure = read(stderr);
            assert_eq!(failure.kind, *kind, "{name}: {failure:?}");
            let text = failure.errors.join("\n");
            assert!(text.contains(says), "{name}: {text}");
            assert!(failure.errors.len() <= LINES, "{name}");
        }
    }

    #[test]
    fn each_package_has_its_own_kind_and_log() {
        let of = |stderr| {
            read(stderr).packages.into_iter().map(|p| (p.name, p.kind, p.log.is_some())).collect::<Vec<_>>()
        };
        let row = |name: &str, kind: &str, log| (name.to_owned(), kind.to_owned(), log);
        assert_eq!(of(recorded!("1.2/install-fail")), [row("ctfail", "build", true)]);
        assert_eq!(of(recorded!("1.2/skipped")), [row("ctfail", "build", true)]);
        let mut several = of(recorded!("0.23/env-install"));
        several.sort();
        let expected = [
            row("ctbadsum", "fetch", false),
            row("ctfail", "build", true),
            row("ctfetchfail", "fetch", false),
            row("ctpyfail", "build", true),
        ];
        assert_eq!(several, expected);
        assert_eq!(of(recorded!("1.2/new-fail")).len(), 4);
    }

    #[test]
    fn a_full_disk_is_not_a_broken_recipe() {
        let text = "==> Error: OSError: [Errno 28] No space left on device\n\nSee build log for details:\n  /x/log\n";
        assert_eq!(read(text).kind, Kind::Disk);
    }
}

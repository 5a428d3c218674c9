//! Turns what Spack prints into events. Both installers print for people; only what names a package with its
//! hash is taken as progress, and nothing of it as proof.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Instant;

use regex::Regex;

use crate::world::Event;
use crate::world::scope::event::Stream;

/// What was seen of one package.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub name: String,
    pub from_cache: bool,
    pub finished: bool,
    pub failed: bool,
    pub seconds: f64,
    started: Option<Instant>,
}

/// What was seen of an installation, by hash; the new installer prints seven characters of it.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    pub packages: BTreeMap<String, Seen>,
}

impl Progress {
    /// What was seen of a package, given its whole hash.
    pub fn of(&self, hash: &str) -> Option<&Seen> {
        self.packages.get(hash).or_else(|| self.packages.get(hash.get(..7)?))
    }

    fn at(&mut self, hash: &str, name: &str) -> &mut Seen {
        let seen = self.packages.entry(hash.to_owned()).or_default();
        if seen.name.is_empty() {
            name.clone_into(&mut seen.name);
        }
        seen.started.get_or_insert_with(Instant::now);
        seen
    }

    fn finish(&mut self, hash: &str, name: &str) {
        let seen = self.at(hash, name);
        seen.finished = true;
        seen.seconds = seen.started.map_or(0.0, |s| s.elapsed().as_secs_f64());
    }
}

/// Sees the lines of one invocation.
#[derive(Debug, Default)]
pub struct Recogniser {
    pub progress: Progress,
}

fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

static START: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^==> Installing (\S+)-([a-z2-7]{32}) \[(\d+)/(\d+)\]$"));
static SOURCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^==> No binary for (\S+)-([a-z2-7]{32}) found: installing from source$"));
static CACHE: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^==> Extracting (\S+)-([a-z2-7]{32}) from binary cache$"));
static PHASE: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"^==> (\S+): Executing phase: '(\w+)'$"));
static INSTALLED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^==> (\S+): Successfully installed (\S+)-([a-z2-7]{32})$"));
static PRESENT: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"^\[\+\] (/.*)$"));
static SKIPPED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(r"^==> Warning: Skipping build of (\S+)-([a-z2-7]{32}) since (\S+)-([a-z2-7]{32}) failed$")
});
static NEW: LazyLock<Option<Regex>> = LazyLock::new(|| pattern(r"^([a-z2-7]{7}) (\S+)@(\S+): (.+)$"));
static NEW_FAILED: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"^(\S+)@(\S+)/([a-z2-7]{32}): (/.*)$"));

/// The name in NAME-VERSION: versions begin with a digit nearly always, so the first `-` before one.
pub fn name_of(text: &str) -> &str {
    let digit = |i: usize| text.as_bytes().get(i + 1).is_some_and(u8::is_ascii_digit);
    text.match_indices('-')
        .find(|(i, _)| digit(*i))
        .or_else(|| text.rmatch_indices('-').next())
        .map_or(text, |(i, _)| text.get(..i).unwrap_or(text))
}

fn matched<'t>(re: &LazyLock<Option<Regex>>, text: &'t str) -> Option<regex::Captures<'t>> {
    re.as_ref().and_then(|re| re.captures(text))
}

impl Recogniser {
    /// Looks at one line; most lines are nothing.
    pub fn line(&mut self, stream: Stream, text: &str) -> Option<Event> {
        match stream {
            Stream::Stdout => self.old(text).or_else(|| self.new_installer(text)),
            Stream::Stderr => self.stderr(text),
        }
    }

    fn old(&mut self, text: &str) -> Option<Event> {
        if !text.starts_with("==> ") && !text.starts_with("[+] ") {
            return None;
        }
        if let Some(m) = matched(&SOURCE, text) {
            self.progress.at(&m[2], name_of(&m[1]));
            return None;
        }
        if let Some(m) = matched(&START, text) {
            // From 1.0 on this comes after the end of what a cache had.
            if self.progress.packages.get(&m[2]).is_some_and(|seen| seen.finished) {
                return None;
            }
            self.progress.at(&m[2], name_of(&m[1]));
            return Some(Event::PackageStarted {
                name: name_of(&m[1]).to_owned(),
                hash: Some(m[2].to_owned()),
                number: m[3].parse().ok(),
                of: m[4].parse().ok(),
            });
        }
        if let Some(m) = matched(&CACHE, text) {
            self.progress.at(&m[2], name_of(&m[1])).from_cache = true;
            return Some(Event::PackageFromCache {
                name: name_of(&m[1]).to_owned(),
                hash: Some(m[2].to_owned()),
            });
        }
        if let Some(m) = matched(&PHASE, text) {
            return Some(Event::PackagePhase { name: m[1].to_owned(), phase: m[2].to_owned() });
        }
        if let Some(m) = matched(&INSTALLED, text) {
            self.progress.finish(&m[3], &m[1]);
            return Some(Event::PackageFinished { name: m[1].to_owned(), hash: Some(m[3].to_owned()) });
        }
        // What was not built here is not progress.
        let m = matched(&PRESENT, text).filter(|m| !m[1].contains(" (external "))?;
        let hash = m[1].get(m[1].len().saturating_sub(32)..).unwrap_or_default();
        if self.progress.packages.get(hash).is_some_and(|seen| seen.finished) {
            return None;
        }
        Some(Event::PackagePresent { prefix: m[1].to_owned() })
    }

    fn new_installer(&mut self, text: &str) -> Option<Event> {
        let m = matched(&NEW, text)?;
        let (short, name, state) = (&m[1], m[2].to_owned(), &m[4]);
        let hash = Some(short.to_owned());
        Some(match state {
            "staging" | "starting" => {
                self.progress.at(short, &name);
                Event::PackageStarted { name, hash, number: None, of: None }
            }
            "fetching from build cache" => {
                self.progress.at(short, &name).from_cache = true;
                Event::PackageFromCache { name, hash }
            }
            "finished" => {
                self.progress.finish(short, &name);
                Event::PackageFinished { name, hash }
            }
            "failed" | "no binary available" => {
                self.progress.at(short, &name).failed = true;
                Event::PackageFailed { name, hash, log: None }
            }
            phase => {
                self.progress.at(short, &name);
                Event::PackagePhase { name, phase: phase.to_owned() }
            }
        })
    }

    fn stderr(&mut self, text: &str) -> Option<Event> {
        if let Some(m) = matched(&SKIPPED, text) {
            self.progress.at(&m[4], name_of(&m[3])).failed = true;
            return Some(Event::PackageFailed {
                name: name_of(&m[3]).to_owned(),
                hash: Some(m[4].to_owned()),
                log: None,
            });
        }
        let m = matched(&NEW_FAILED, text)?;
        self.progress.at(&m[3], &m[1]).failed = true;
        Some(Event::PackageFailed {
            name: m[1].to_owned(),
            hash: Some(m[3].to_owned()),
            log: Some(m[4].to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_before_versions() {
        for (text, name) in [
            ("lab-zlib-1.3.1", "lab-zlib"),
            ("gcc-runtime-12.2.0", "gcc-runtime"),
            ("x-develop", "x"),
            ("x", "x"),
        ] {
            assert_eq!(name_of(text), name);
        }
    }

    fn words(recorded: &str, stream: Stream) -> (Recogniser, Vec<String>) {
        let mut recogniser = Recogniser::default();
        let events = recorded
            .lines()
            .filter_map(|line| recogniser.line(stream, line))
            .map(|event| {
                let json = serde_json::to_value(&event).unwrap();
                let what = json["event"].as_str().unwrap().trim_start_matches("package_").to_owned();
                let name =
                    json.get("name").or(json.get("prefix")).and_then(|n| n.as_str()).unwrap().to_owned();
                format!("{what} {}", name.rsplit('/').next().unwrap())
            })
            .collect();
        (recogniser, events)
    }

    #[test]
    fn the_old_installer_building_from_source() {
        let text = include_str!("../../../tests/fixtures/spack-output/0.23/install-fail.stdout");
        let (seen, events) = words(text, Stream::Stdout);
        let expected = [
            "present gcc-runtime-12.2.0-75b4t5rehtewc6bh4sj3aqwpli7tah3f",
            "started ctfail",
            "phase ctfail",
            "phase ctfail",
        ];
        assert_eq!(events, expected);
        assert!(!seen.progress.of("qcldp3fcm33enomjjc67xa2ze3xxbple").unwrap().finished);
    }

    #[test]
    fn a_cache_hit_of_1_x_starts_only_once() {
        let hash = "gwnt2rdwxkzskhftc6y3cqkdnkcwsnbz";
        let text = format!(
            "==> Extracting ctrun-1.0-{hash} from binary cache\n==> ctrun: Successfully installed ctrun-1.0-{hash}\n\
             \x20 Search: 0.00s.  Total: 0.1s\n[+] /site/ctrun-1.0-{hash}\n==> Installing ctrun-1.0-{hash} [1/2]\n"
        );
        let (seen, events) = words(&text, Stream::Stdout);
        assert_eq!(events, ["from_cache ctrun", "finished ctrun"]);
        assert!(seen.progress.of(hash).unwrap().from_cache);
    }

    #[test]
    fn the_new_installer() {
        let text = include_str!("../../../tests/fixtures/spack-output/1.2/new-fail.stdout");
        let (seen, events) = words(text, Stream::Stdout);
        assert_eq!(events.iter().filter(|e| e.starts_with("failed")).count(), 4, "{events:?}");
        assert!(events.contains(&"finished ctslow1".to_owned()));
        let whole = format!("bursgxf{}", "a".repeat(25));
        assert!(seen.progress.of(&whole).unwrap().failed);
        let text = include_str!("../../../tests/fixtures/spack-output/1.2/new-fail.stderr");
        let (_, events) = words(text, Stream::Stderr);
        assert_eq!(events.len(), 4, "{events:?}");
    }
}

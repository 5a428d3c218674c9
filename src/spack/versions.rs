//! Spack's version model: single versions with Spack's own order, prefix ranges (`1.2` holds `1.2.3`),
//! open ranges, git versions, and normalised lists of them. Nothing here asks git: a git reference
//! without a version beside it can be printed and compared for identity, not ordered.

use std::cmp::Ordering;
use std::fmt;

use crate::base::{Kind, Result, Trouble};

pub use super::version_list::VersionList;

/// Names that are newer than any number, oldest first.
const INFINITY: [&str; 7] = ["stable", "nightly", "trunk", "head", "master", "main", "develop"];
const FINAL: u8 = 3;
const PRERELEASE: [&str; 3] = ["alpha", "beta", "rc"];

/// A number of any length, without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Digits(String);

impl Digits {
    fn new(text: &str) -> Self {
        let trimmed = text.trim_start_matches('0');
        Digits(if trimmed.is_empty() { "0" } else { trimmed }.to_owned())
    }

    fn next(&self) -> Self {
        let mut out: Vec<u8> = self.0.bytes().collect();
        for digit in out.iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return Digits(out.iter().map(|b| char::from(*b)).collect());
            }
            *digit = b'0';
        }
        Digits(std::iter::once('1').chain(out.iter().map(|b| char::from(*b))).collect())
    }
}

impl Ord for Digits {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Digits {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One segment. The derived order is Spack's: words, then numbers, then `develop` and its like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    Word(String),
    Number(Digits),
    Infinity(usize),
}

impl Segment {
    fn word(text: &str) -> Self {
        INFINITY
            .iter()
            .position(|name| *name == text)
            .map_or_else(|| Segment::Word(text.to_owned()), Segment::Infinity)
    }

    fn next(&self) -> Self {
        match self {
            Segment::Infinity(n) => Segment::Infinity(n + 1),
            Segment::Number(n) => Segment::Number(n.next()),
            Segment::Word(word) => {
                let mut word = next_word(word);
                while INFINITY.contains(&word.as_str()) {
                    word = next_word(&word);
                }
                Segment::Word(word)
            }
        }
    }
}

/// The next string of the letters `A`…`Z`, `a`…`z`.
fn next_word(word: &str) -> String {
    let mut out = word.to_owned();
    match out.pop() {
        None => out.push('A'),
        Some('z') => out.push_str("zA"),
        Some('Z') => out.push('a'),
        Some(last) => out.push(char::from(last as u8 + 1)),
    }
    out
}

/// One version, such as `1.12.2`, `2.0rc1` or `develop`. Compared by its segments, so `1.2` equals `1-2`.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    release: Vec<Segment>,
    prerelease: (u8, Option<Digits>),
}

impl Version {
    pub fn parse(text: &str) -> Result<Version> {
        let text = text.trim();
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if !text.chars().enumerate().all(|(i, c)| valid(c) || (i > 0 && c == '=')) {
            return Err(Trouble::usage(format!("'{text}' is not a version"))
                .hint("versions are letters, digits, '.', '-' and '_'"));
        }
        let mut release = segments(text);
        let mut prerelease = (FINAL, None);
        let kind = |s: Option<&Segment>| match s {
            Some(Segment::Word(w)) => PRERELEASE.iter().position(|p| p == w).map(|n| n as u8),
            _ => None,
        };
        let n = release.len();
        if let (true, Some(Segment::Number(number)), Some(which)) =
            (n >= 3, release.last().cloned(), kind(release.get(n.wrapping_sub(2))))
        {
            prerelease = (which, Some(number));
            release.truncate(n - 2);
        } else if let (true, Some(which)) = (n >= 2, kind(release.last())) {
            prerelease = (which, None);
            release.truncate(n - 1);
        }
        Ok(Version { text: text.to_owned(), release, prerelease })
    }

    /// Below everything.
    pub(super) fn lowest() -> Version {
        Version { text: String::new(), release: Vec::new(), prerelease: (0, None) }
    }

    /// Above everything.
    pub(super) fn highest() -> Version {
        Version {
            text: String::new(),
            release: vec![Segment::Infinity(INFINITY.len())],
            prerelease: (FINAL, None),
        }
    }

    /// The first version that does not begin with this one.
    pub(super) fn next(&self) -> Version {
        let mut next = self.clone();
        next.text = String::new();
        if next.prerelease.0 == FINAL {
            match next.release.last_mut() {
                None => next.release.push(Segment::Word("A".to_owned())),
                Some(last) => *last = last.next(),
            }
        } else {
            let number = next.prerelease.1.as_ref().map_or_else(|| Digits::new("0"), Digits::next);
            next.prerelease.1 = Some(number);
        }
        next
    }

    /// `develop`, `main` and the like.
    pub fn is_infinite(&self) -> bool {
        matches!(self.release.first(), Some(Segment::Infinity(_)))
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn segments(text: &str) -> Vec<Segment> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same = |c: char| {
            if first.is_ascii_digit() { c.is_ascii_digit() } else { c.is_ascii_alphabetic() }
        };
        let end = rest.find(|c| !same(c)).unwrap_or(rest.len());
        let (segment, tail) = rest.split_at(end);
        if first.is_ascii_digit() {
            out.push(Segment::Number(Digits::new(segment)));
        } else if !segment.is_empty() {
            out.push(Segment::word(segment));
        }
        rest = if segment.is_empty() { rest.get(first.len_utf8()..).unwrap_or("") } else { tail };
    }
    out
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.release.cmp(&other.release).then_with(|| self.prerelease.cmp(&other.prerelease))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A git commit, branch or tag, with the version that it counts as where one was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitVersion {
    prefixed: bool,
    reference: String,
    version: Option<Version>,
}

impl GitVersion {
    pub fn is_git(text: &str) -> bool {
        text.starts_with("git.")
            || (text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()))
            || text.chars().skip(1).any(|c| c == '=')
    }

    pub fn parse(text: &str) -> Result<GitVersion> {
        let (prefixed, rest) = text.strip_prefix("git.").map_or((false, text), |rest| (true, rest));
        let (reference, version) = match rest.split_once('=') {
            Some((_, version)) if version.contains('=') => {
                return Err(Trouble::usage(format!("'{text}' is not a version: it has more than one '='")));
            }
            Some((reference, version)) => (reference, Some(Version::parse(version)?)),
            None => (rest, None),
        };
        Ok(GitVersion { prefixed, reference: reference.to_owned(), version })
    }

    /// The version that it counts as.
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }
}

impl fmt::Display for GitVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = if self.prefixed { "git." } else { "" };
        write!(f, "{prefix}{}", self.reference)?;
        self.version.as_ref().map_or(Ok(()), |v| write!(f, "={v}"))
    }
}

/// Versions from `low` to `high`, with everything that begins with `high`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    low: Version,
    high: Version,
    /// First version beyond.
    end: Version,
}

impl Range {
    pub fn new(low: Version, high: Version) -> Result<Range> {
        let end = high.next();
        if end < low {
            return Err(Trouble::usage(format!("the version range '{low}:{high}' is empty")));
        }
        Ok(Range { low, high, end })
    }

    /// `:`, which holds every version.
    pub fn any() -> Range {
        let high = Version::highest();
        Range { low: Version::lowest(), end: high.next(), high }
    }

    /// Versions that are `version` or begin with it.
    pub fn prefix(version: Version) -> Range {
        Range { end: version.next(), low: version.clone(), high: version }
    }

    fn holds(&self, version: &Version) -> bool {
        self.low <= *version && *version < self.end
    }

    fn union(&self, other: &Range) -> Option<Range> {
        (self.low <= other.end && other.low <= self.end).then(|| {
            let upper = if self.end >= other.end { self } else { other };
            Range {
                low: self.low.clone().min(other.low.clone()),
                high: upper.high.clone(),
                end: upper.end.clone(),
            }
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (lowest, highest) = (Version::lowest(), Version::highest());
        if self.low == self.high && self.low != lowest {
            return write!(f, "{}", self.low);
        }
        let low = if self.low == lowest { "" } else { self.low.as_str() };
        let high = if self.high == highest { "" } else { self.high.as_str() };
        write!(f, "{low}:{high}")
    }
}

/// One member of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Versions {
    Exact(Version),
    Git(GitVersion),
    Range(Range),
}

impl Versions {
    /// What stands between the commas of a spec: `1.2`, `=1.2`, `1.2:1.4`, `git.main=1.2`.
    pub fn parse(text: &str) -> Result<Versions> {
        if let Some((low, high)) = text.split_once(':') {
            let end = |text: &str, open: fn() -> Version| {
                if text.is_empty() { Ok(open()) } else { Version::parse(text) }
            };
            return Ok(Versions::Range(Range::new(
                end(low, Version::lowest)?,
                end(high, Version::highest)?,
            )?));
        }
        match text.strip_prefix('=') {
            Some(exact) => Versions::concrete(exact),
            None if GitVersion::is_git(text) => Ok(Versions::Git(GitVersion::parse(text)?)),
            None if text.is_empty() => Err(Trouble::usage("a version is missing")),
            None => Ok(Versions::Range(Range::prefix(Version::parse(text)?))),
        }
    }

    /// The one version of a concrete spec.
    pub fn concrete(text: &str) -> Result<Versions> {
        if GitVersion::is_git(text) {
            Ok(Versions::Git(GitVersion::parse(text)?))
        } else {
            Ok(Versions::Exact(Version::parse(text)?))
        }
    }

    /// Is every version of `self` one of `other`?
    pub fn satisfies(&self, other: &Versions) -> bool {
        use Versions::{Exact, Git, Range};
        match (self, other) {
            (Exact(a), Exact(b)) => a == b,
            (Exact(a), Range(b)) => b.holds(a),
            (Git(a), Git(b)) => a == b,
            (Git(a), Range(b)) => a.version().is_some_and(|v| b.holds(v)),
            (Range(a), Range(b)) => a.low >= b.low && b.end >= a.end,
            (Exact(_), Git(_)) | (Git(_), Exact(_)) | (Range(_), Exact(_) | Git(_)) => false,
        }
    }

    /// Is there a version in both?
    pub fn intersects(&self, other: &Versions) -> bool {
        use Versions::{Exact, Git, Range};
        match (self, other) {
            (Range(a), Range(b)) => a.low < b.end && b.low < a.end,
            (Range(_), Exact(_) | Git(_)) => other.satisfies(self),
            _ => self.satisfies(other),
        }
    }

    /// What is in both.
    pub(super) fn common(&self, other: &Versions) -> Option<Versions> {
        match (self, other) {
            (Versions::Range(a), Versions::Range(b)) => {
                let lower = if a.end <= b.end { a } else { b };
                let low = a.low.clone().max(b.low.clone());
                let range = Range { low, high: lower.high.clone(), end: lower.end.clone() };
                (range.low < range.end).then_some(Versions::Range(range))
            }
            _ if self.satisfies(other) => Some(self.clone()),
            _ if other.satisfies(self) => Some(other.clone()),
            _ => None,
        }
    }

    /// The union of a range with this, where it is one piece.
    pub(super) fn joined(range: &Range, other: &Versions) -> Option<Range> {
        match other {
            Versions::Range(other) => range.union(other),
            Versions::Exact(version) => range.holds(version).then(|| range.clone()),
            Versions::Git(git) => git.version().is_some_and(|v| range.holds(v)).then(|| range.clone()),
        }
    }

    fn order_key(&self) -> (Version, u8) {
        match self {
            Versions::Exact(v) => (v.clone(), 0),
            Versions::Git(g) => (g.version.clone().unwrap_or_else(Version::lowest), 1),
            Versions::Range(r) => (r.low.clone(), 2),
        }
    }

    pub(super) fn compare(&self, other: &Versions) -> Ordering {
        self.order_key().cmp(&other.order_key()).then_with(|| match (self, other) {
            (Versions::Range(a), Versions::Range(b)) => a.end.cmp(&b.end),
            (Versions::Git(a), Versions::Git(b)) => a.reference.cmp(&b.reference),
            _ => Ordering::Equal,
        })
    }

    /// A git reference that only git could order.
    pub(super) fn needs_git(&self) -> bool {
        matches!(self, Versions::Git(git) if git.version.is_none())
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Versions::Exact(v) => write!(f, "={v}"),
            Versions::Git(g) => write!(f, "{g}"),
            Versions::Range(r) => write!(f, "{r}"),
        }
    }
}

/// The refusal of a query that only git could answer.
pub(super) fn refuse_git(list: &VersionList) -> Result<()> {
    match list.iter().find(|v| v.needs_git()) {
        Some(version) => Err(Trouble::new(
            Kind::Unsupported,
            format!("the git version '@{version}' can be compared only by asking git"),
        )
        .hint(format!("say which version it counts as: '@{version}=1.2'"))),
        None => Ok(()),
    }
}

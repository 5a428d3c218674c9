//! One version and where it stands among others: words below numbers, numbers below `develop` and its like,
//! and pre-releases below the release that they lead to.

use std::cmp::Ordering;
use std::fmt;

use crate::base::{Result, Trouble};
use crate::spack::spec::dialect::Dialect;

/// Names that are newer than any number, oldest first.
const INFINITY: [&str; 7] = ["stable", "nightly", "trunk", "head", "master", "main", "develop"];

/// The place of such a name. Up to 0.23 `nightly` was a word as any other.
fn infinity(word: &str, dialect: Dialect) -> Option<usize> {
    let ordinary = word == "nightly" && dialect == Dialect::Compiler;
    INFINITY.iter().position(|name| *name == word).filter(|_| !ordinary)
}
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
    fn word(text: &str, dialect: Dialect) -> Self {
        infinity(text, dialect).map_or_else(|| Segment::Word(text.to_owned()), Segment::Infinity)
    }

    fn next(&self, dialect: Dialect) -> Self {
        match self {
            Segment::Infinity(n) => Segment::Infinity(n + 1),
            Segment::Number(n) => Segment::Number(n.next()),
            Segment::Word(word) => {
                let mut word = next_word(word);
                while infinity(&word, dialect).is_some() {
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
    dialect: Dialect,
}

impl Version {
    pub fn parse(text: &str, dialect: Dialect) -> Result<Version> {
        let text = text.trim();
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if !text.chars().enumerate().all(|(i, c)| valid(c) || (i > 0 && c == '=')) {
            return Err(Trouble::usage(format!("'{text}' is not a version"))
                .hint("versions are letters, digits, '.', '-' and '_'"));
        }
        let mut release = segments(text, dialect);
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
        Ok(Version { text: text.to_owned(), release, prerelease, dialect })
    }

    /// Below everything.
    pub(in crate::spack) fn lowest() -> Version {
        Version { text: String::new(), release: Vec::new(), prerelease: (0, None), dialect: Dialect::Direct }
    }

    /// Above everything.
    pub(in crate::spack) fn highest() -> Version {
        Version {
            text: String::new(),
            release: vec![Segment::Infinity(INFINITY.len())],
            prerelease: (FINAL, None),
            dialect: Dialect::Direct,
        }
    }

    /// The first version that does not begin with this one.
    pub(in crate::spack) fn next(&self) -> Version {
        let mut next = self.clone();
        next.text = String::new();
        if next.prerelease.0 == FINAL {
            match next.release.last_mut() {
                None => next.release.push(Segment::Word("A".to_owned())),
                Some(last) => *last = last.next(self.dialect),
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

fn segments(text: &str, dialect: Dialect) -> Vec<Segment> {
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
            out.push(Segment::word(segment, dialect));
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

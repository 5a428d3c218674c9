//! Spack's version model: single versions with Spack's own order, prefix ranges (`1.2` holds `1.2.3`), open ranges,
//! git versions, and normalised lists of them. Nothing here asks git: a git reference without a version beside it
//! can be printed and compared for identity, not ordered.
//!
//! ```text
//! list ↔ mod → order
//! ```

pub(crate) mod list;
pub(crate) mod order;

use std::cmp::Ordering;
use std::fmt;

use crate::base::{Kind, Result, Trouble};
use crate::spack::spec::dialect::Dialect;

pub use list::VersionList;
pub use order::Version;

/// A git commit, branch or tag, with the version that it counts as where one was given.
#[derive(Debug, Clone, Eq)]
pub struct GitVersion {
    prefixed: bool,
    reference: String,
    version: Option<Version>,
}

/// `git.` before the reference says nothing of which it is.
impl PartialEq for GitVersion {
    fn eq(&self, other: &Self) -> bool {
        self.reference == other.reference && self.version == other.version
    }
}

impl GitVersion {
    pub fn is_git(text: &str) -> bool {
        text.starts_with("git.")
            || (text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit()))
            || text.chars().skip(1).any(|c| c == '=')
    }

    pub fn parse(text: &str, dialect: Dialect) -> Result<GitVersion> {
        let (prefixed, rest) = text.strip_prefix("git.").map_or((false, text), |rest| (true, rest));
        let (reference, version) = match rest.split_once('=') {
            Some((_, version)) if version.contains('=') => {
                return Err(Trouble::usage(format!("'{text}' is not a version: it has more than one '='")));
            }
            Some((reference, version)) => (reference, Some(Version::parse(version, dialect)?)),
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
#[derive(Debug, Clone, Eq)]
pub struct Range {
    low: Version,
    high: Version,
    /// First version beyond.
    end: Version,
}

impl PartialEq for Range {
    fn eq(&self, other: &Self) -> bool {
        self.low == other.low && self.end == other.end
    }
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
    pub fn parse(text: &str, dialect: Dialect) -> Result<Versions> {
        if let Some((low, high)) = text.split_once(':') {
            let end = |text: &str, open: fn() -> Version| {
                if text.is_empty() { Ok(open()) } else { Version::parse(text, dialect) }
            };
            return Ok(Versions::Range(Range::new(
                end(low, Version::lowest)?,
                end(high, Version::highest)?,
            )?));
        }
        match text.strip_prefix('=') {
            Some(exact) => Versions::concrete(exact, dialect),
            None if GitVersion::is_git(text) => Ok(Versions::Git(GitVersion::parse(text, dialect)?)),
            None if text.is_empty() => Err(Trouble::usage("a version is missing")),
            None => Ok(Versions::Range(Range::prefix(Version::parse(text, dialect)?))),
        }
    }

    /// The one version of a concrete spec.
    pub fn concrete(text: &str, dialect: Dialect) -> Result<Versions> {
        if GitVersion::is_git(text) {
            Ok(Versions::Git(GitVersion::parse(text, dialect)?))
        } else {
            Ok(Versions::Exact(Version::parse(text, dialect)?))
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
    pub(in crate::spack) fn common(&self, other: &Versions) -> Option<Versions> {
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
    pub(in crate::spack) fn joined(range: &Range, other: &Versions) -> Option<Range> {
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

    /// Spack's order; a git version is newer than the plain one that it counts as.
    pub fn compare(&self, other: &Versions) -> Ordering {
        self.order_key().cmp(&other.order_key()).then_with(|| match (self, other) {
            (Versions::Range(a), Versions::Range(b)) => a.end.cmp(&b.end),
            (Versions::Git(a), Versions::Git(b)) => a.reference.cmp(&b.reference),
            _ => Ordering::Equal,
        })
    }

    /// A git reference that only git could order.
    pub(in crate::spack) fn needs_git(&self) -> bool {
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
pub fn refuse_git(list: &VersionList) -> Result<()> {
    match list.iter().find(|v| v.needs_git()) {
        Some(version) => Err(Trouble::new(
            Kind::Unsupported,
            format!("the git version '@{version}' can be compared only by asking git"),
        )
        .hint(format!("say which version it counts as: '@{version}=1.2'"))),
        None => Ok(()),
    }
}

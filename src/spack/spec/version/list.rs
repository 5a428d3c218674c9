//! A normalised list of versions and ranges, as it stands after `@`: sorted, overlapping ranges merged.

use std::fmt;

use crate::base::Result;
use crate::spack::spec::dialect::Dialect;

use super::{Range, Versions};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionList(Vec<Versions>);

impl VersionList {
    /// Every version.
    pub fn any() -> Self {
        VersionList(vec![Versions::Range(Range::any())])
    }

    /// The one version of a concrete spec.
    pub fn concrete(version: &str, dialect: Dialect) -> Result<Self> {
        Ok(VersionList(vec![Versions::concrete(version, dialect)?]))
    }

    /// What stands after `@`: `1.2:1.4,=1.6`.
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self> {
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut list = VersionList(Vec::new());
        for part in text.split(',') {
            list.add(Versions::parse(part, dialect)?);
        }
        Ok(list)
    }

    pub fn is_any(&self) -> bool {
        *self == VersionList::any()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Versions> {
        self.0.iter()
    }

    pub fn add(&mut self, item: Versions) {
        let item = match item {
            Versions::Range(range) => {
                let mut range = range;
                // A merged range may reach members that the first one did not.
                while let Some(at) = self.0.iter().position(|v| Versions::joined(&range, v).is_some()) {
                    let other = self.0.remove(at);
                    if let Some(joined) = Versions::joined(&range, &other) {
                        range = joined;
                    }
                }
                Versions::Range(range)
            }
            single if self.0.iter().any(|v| single.intersects(v)) => return,
            single => single,
        };
        let at = self.0.partition_point(|v| v.compare(&item).is_lt());
        self.0.insert(at, item);
    }

    /// Is every version of `self` one of `other`?
    pub fn satisfies(&self, other: &VersionList) -> bool {
        self.0.iter().all(|a| other.0.iter().any(|b| a.satisfies(b)))
    }

    /// The versions of both, `None` where there are none.
    pub fn intersection(&self, other: &VersionList) -> Option<VersionList> {
        let mut both = VersionList(Vec::new());
        for a in &self.0 {
            for common in other.0.iter().filter_map(|b| a.common(b)) {
                both.add(common);
            }
        }
        (!both.0.is_empty()).then_some(both)
    }

    pub fn intersects(&self, other: &VersionList) -> bool {
        self.0.iter().any(|a| other.0.iter().any(|b| a.intersects(b)))
    }
}

impl Default for VersionList {
    fn default() -> Self {
        VersionList::any()
    }
}

impl fmt::Display for VersionList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, version) in self.0.iter().enumerate() {
            write!(f, "{}{version}", if i > 0 { "," } else { "" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::spec::version::Version;

    fn list(text: &str) -> VersionList {
        VersionList::parse(text, Dialect::Direct).unwrap()
    }

    #[test]
    fn versions_are_in_spacks_order() {
        let order = [
            "beta",
            "1.0alpha",
            "1.0alpha1",
            "1.0beta2",
            "1.0rc1",
            "1.0rc10",
            "1.0",
            "1.0a",
            "1.0.0",
            "1.2b",
            "1.9",
            "1.10",
            "2.0",
            "20230101",
            "stable",
            "nightly",
            "trunk",
            "head",
            "master",
            "main",
            "develop",
            "develop.1",
        ];
        for (i, a) in order.iter().enumerate() {
            for (j, b) in order.iter().enumerate() {
                let (va, vb) = (
                    Version::parse(a, Dialect::Direct).unwrap(),
                    Version::parse(b, Dialect::Direct).unwrap(),
                );
                assert_eq!(va.cmp(&vb), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn satisfies_as_spack_does() {
        let cases = [
            ("=1.2.3", "1.2", true),
            ("=1.2.3", "=1.2", false),
            ("=1.20", "1.2", false),
            ("=1-2", "=1.2", true),
            ("=1.2.3", "1.2:1.4,1.6", true),
            ("=1.5", "1.2:1.4,1.6", false),
            ("=1.4.9", ":1.4", true),
            ("=develop", "1.2:", true),
            ("=develop", ":1.4", false),
            ("=1.2rc1", "1.2", false),
            ("=1.2rc1", "1.2rc1", true),
            ("=1.2rc1", ":1.2", true),
            ("=git.main=1.2", "1.2", true),
            ("=git.main=1.2", "=1.2", false),
            ("1.2:1.3", "1.2:1.4", true),
            ("1.2:1.5", "1.2:1.4", false),
            ("=main", "master:", true),
        ];
        for (a, b, expected) in cases {
            assert_eq!(list(a).satisfies(&list(b)), expected, "{a} satisfies {b}");
        }
    }

    #[test]
    fn lists_are_merged_and_printed_back() {
        for (text, printed) in [
            ("1.2:1.4,1.4:1.6", "1.2:1.6"),
            ("1.6,1.2", "1.2,1.6"),
            ("=1.3,1.2:1.4", "1.2:1.4"),
            (":", ":"),
            (":1.2", ":1.2"),
            ("1.2:", "1.2:"),
            ("=1.2,=1.1", "=1.1,=1.2"),
            ("1:2,3:4", "1:4"),
            ("git.main=1.2", "git.main=1.2"),
        ] {
            assert_eq!(list(text).to_string(), printed, "{text}");
        }
        assert!(VersionList::parse("3:1", Dialect::Direct).is_err());
        assert!(VersionList::parse("1.2,", Dialect::Direct).is_err());
    }
}

//! Who is to read an index, and of which versions: this build knows more of them than any one Spack.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::base::{Kind, Trouble};
use crate::spack::config::release::Release;

/// The index versions that this build reads.
pub const KNOWN_VERSIONS: RangeInclusive<u32> = 5..=8;

pub struct Reader {
    versions: RangeInclusive<u32>,
    release: Option<Release>,
}

impl Reader {
    /// Whoever reads any version that is known.
    pub fn any() -> Reader {
        Reader { versions: KNOWN_VERSIONS, release: None }
    }

    /// This Spack, for its own store.
    pub fn of_store(release: Release) -> Reader {
        let abilities = release.abilities();
        Reader { versions: abilities.oldest_database..=abilities.database_version, release: Some(release) }
    }

    /// This Spack, for an upstream.
    pub fn of_upstream(release: Release) -> Reader {
        let abilities = release.abilities();
        Reader {
            versions: abilities.oldest_upstream_database..=abilities.database_version,
            release: Some(release),
        }
    }

    /// The error for an index of a version that is not read.
    pub fn refuse(&self, path: &Path, version: &str) -> Option<Trouble> {
        let number = version.parse::<u32>().ok();
        if number.is_some_and(|number| self.versions.contains(&number)) {
            return None;
        }
        let (oldest, newest) = (self.versions.start(), self.versions.end());
        let known = number.is_some_and(|number| KNOWN_VERSIONS.contains(&number));
        let (who, hint) = match self.release.filter(|_| known) {
            Some(release) if number.is_some_and(|number| number < *oldest) => (
                format!("Spack {release}"),
                format!("it needs version {newest}; `spack reindex` makes one of the prefixes"),
            ),
            Some(release) => (
                format!("Spack {release}"),
                format!("it reads versions up to {newest}; a newer Spack wrote this one"),
            ),
            None => (
                "this build".to_owned(),
                format!("known versions: {} to {}", KNOWN_VERSIONS.start(), KNOWN_VERSIONS.end()),
            ),
        };
        let what = format!("{} is of database version {version}, which {who} does not read", path.display());
        Some(
            Trouble::new(Kind::UnknownFormat, what)
                .hint(hint)
                .fact("path", path.display().to_string())
                .fact("version", version),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::store::database::DatabaseText;

    #[test]
    fn each_spack_reads_its_own_versions_and_of_upstreams_some_more() {
        let old = Release::parse("0.23.1").unwrap();
        let new = Release::parse("1.2.0").unwrap();
        let text = |version: u32, body: &str| {
            let text = format!("{{\"database\":{{\"version\":\"{version}\",\"installs\":{body}}}}}");
            DatabaseText::from_bytes(Path::new("index.json"), text.into_bytes()).unwrap()
        };
        for (reader, version, reads) in [
            (Reader::any(), 5, true),
            (Reader::any(), 9, false),
            (Reader::of_store(old), 7, true),
            (Reader::of_store(old), 8, false),
            (Reader::of_upstream(old), 8, false),
            (Reader::of_store(new), 8, true),
            (Reader::of_store(new), 7, false),
            (Reader::of_upstream(new), 7, true),
            (Reader::of_upstream(new), 5, false),
        ] {
            // What does not fit a version that is not read is no damage.
            for body in ["{}", "[1]"] {
                let result = text(version, body).parse_for(&reader).map(drop);
                let named = |t: &Trouble| {
                    t.is(Kind::UnknownFormat) && t.facts()["version"] == version.to_string().as_str()
                };
                assert_eq!(result.is_ok(), reads && body == "{}", "{version} {body}");
                assert_eq!(result.is_err_and(|t| named(&t)), !reads, "{version} {body}");
            }
        }
    }
}

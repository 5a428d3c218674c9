//! `text.version_*`: versions in Spack's order, which is not that of text.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::{Result, Trouble};
use crate::site::Cx;
use crate::spack::drive::session::Spack;
use crate::spack::spec::Dialect;
use crate::spack::spec::version::{VersionList, Versions, refuse_git};

/// Compares two versions in Spack's order: `develop` is newer than any number, `2.0rc1` older than `2.0`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CompareArgs {
    /// A version; one from git with what it counts as, `git.main=1.2`.
    a: String,
    /// Another.
    b: String,
}

/// Gives -1, 0 or 1.
pub async fn compare(cx: Cx, args: CompareArgs) -> Result<i64> {
    let dialect = dialect(&cx).await;
    Ok(match one(&args.a, dialect)?.compare(&one(&args.b, dialect)?) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    })
}

/// Sorts versions in Spack's order, the oldest first.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SortArgs {
    /// The versions.
    versions: Vec<String>,
}

pub async fn sort(cx: Cx, args: SortArgs) -> Result<Vec<String>> {
    let dialect = dialect(&cx).await;
    let parsed = |text: String| Ok((one(&text, dialect)?, text));
    let mut versions = args.versions.into_iter().map(parsed).collect::<Result<Vec<(Versions, String)>>>()?;
    versions.sort_by(|(a, _), (b, _)| a.compare(b));
    Ok(versions.into_iter().map(|(_, text)| text).collect())
}

/// Whether a version is one of a list of versions and ranges, as after `@` in a spec.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SatisfiesArgs {
    /// The version.
    version: String,
    /// Versions and ranges, such as `"1.2:1.4,=1.6"`.
    ranges: String,
}

pub async fn satisfies(cx: Cx, args: SatisfiesArgs) -> Result<bool> {
    let dialect = dialect(&cx).await;
    let ranges = args.ranges.strip_prefix('@').unwrap_or(&args.ranges);
    if args.version.contains([':', ',']) {
        return Err(Trouble::usage(format!("'{}' is not one version", args.version)));
    }
    let version = VersionList::concrete(&args.version, dialect)?;
    let ranges = VersionList::parse(ranges, dialect)?;
    refuse_git(&version)?;
    refuse_git(&ranges)?;
    Ok(version.satisfies(&ranges))
}

/// As the site's Spack reads versions; as the newest does where there is none.
async fn dialect(cx: &Cx) -> Dialect {
    let found = cx.blocking(|cx| Spack::of(&cx).map(|spack| spack.dialect())).await;
    found.unwrap_or(Dialect::Direct)
}

/// One version that can be ordered.
fn one(text: &str, dialect: Dialect) -> Result<Versions> {
    let list = VersionList::concrete(text.trim(), dialect)?;
    refuse_git(&list)?;
    Versions::concrete(text.trim(), dialect)
}

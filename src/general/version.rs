//! `text.version_*`: versions in Spack's order, which is not that of text.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::base::{Result, Trouble};
use crate::site::Cx;
use crate::spack::spec::version::{Version, VersionList};

/// Compares two versions in Spack's order: `develop` is newer than any number, `2.0rc1` older than `2.0`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct CompareArgs {
    /// A version.
    a: String,
    /// Another.
    b: String,
}

/// Gives -1, 0 or 1.
pub async fn compare(_cx: Cx, args: CompareArgs) -> Result<i64> {
    Ok(match Version::parse(&args.a)?.cmp(&Version::parse(&args.b)?) {
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

pub async fn sort(_cx: Cx, args: SortArgs) -> Result<Vec<String>> {
    let mut versions =
        args.versions.iter().map(|text| Version::parse(text)).collect::<Result<Vec<Version>>>()?;
    versions.sort();
    Ok(versions.iter().map(ToString::to_string).collect())
}

/// Whether a version is one of a list of versions and ranges, as after `@` in a spec.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SatisfiesArgs {
    /// The version.
    version: String,
    /// Versions and ranges, such as `"1.2:1.4,=1.6"`.
    ranges: String,
}

pub async fn satisfies(_cx: Cx, args: SatisfiesArgs) -> Result<bool> {
    let ranges = args.ranges.strip_prefix('@').unwrap_or(&args.ranges);
    if args.version.contains([':', ',']) {
        return Err(Trouble::usage(format!("'{}' is not one version", args.version)));
    }
    Ok(VersionList::concrete(&args.version)?.satisfies(&VersionList::parse(ranges)?))
}

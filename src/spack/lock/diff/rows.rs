//! What a comparison of two locks says: plain rows for scripts, `--json` and reports.

use schemars::JsonSchema;
use serde::Serialize;

use crate::spack::store::node::EdgeTypes;
use crate::spack::store::row::{ExternalRow, VariantRow};

/// What differs between two locks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct LockDiff {
    /// What was asked for.
    pub roots: RootsDiff,
    /// Package by package, sorted by name; those that both locks hold with the same hash are left out.
    pub packages: Vec<PackageDiff>,
    /// How many there are of each.
    pub summary: DiffSummary,
}

impl LockDiff {
    /// Both locks ask for the same and got the same.
    pub fn is_empty(&self) -> bool {
        let RootsDiff { added, removed, changed } = &self.roots;
        self.packages.is_empty() && added.is_empty() && removed.is_empty() && changed.is_empty()
    }
}

/// What differs in the roots that an environment asks for itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct RootsDiff {
    /// Asked for only by the later lock.
    pub added: Vec<RootDiff>,
    /// Asked for only by the earlier lock.
    pub removed: Vec<RootDiff>,
    /// Asked for by both in the same words, and answered by different concrete specs.
    pub changed: Vec<RootDiff>,
}

/// A root that differs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RootDiff {
    /// As it was asked for.
    pub spec: String,
    /// The concrete spec before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The concrete spec after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The hash before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_hash: Option<String>,
    /// The hash after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_hash: Option<String>,
}

/// What happened to a package between two locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
    Changed,
}

/// A concrete spec that only one lock holds, or that took the place of another of the same name.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PackageDiff {
    /// Name of the package.
    pub name: String,
    /// `added`, `removed` or `changed`.
    pub change: Change,
    /// What differs, in one line.
    pub words: String,
    /// The concrete spec before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The concrete spec after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The hash before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_hash: Option<String>,
    /// The hash after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_hash: Option<String>,
    /// Why it changed, where an upgrade asked for something: `asked`, `depends on NAME`, `required by NAME`,
    /// `no longer needed` or `chosen by the solver`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// No root links to it or runs it, before or after. Not known, and `false`, of locks before version 4.
    pub build_only: bool,
    /// The specs that ask for it as a root: after, or before if it is removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<String>,
    /// Nothing differs but the hash: something below it changed, or how Spack counts hashes.
    #[serde(skip_serializing_if = "is_false")]
    pub only_hash: bool,
    /// The version, if it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<ValueDiff>,
    /// Variants that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variants: Vec<VariantDiff>,
    /// Compilers that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compilers: Vec<CompilerDiff>,
    /// Compiler flags that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<FlagsDiff>,
    /// Parts of the architecture that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub arch: Vec<ArchDiff>,
    /// Its own dependencies that changed; not those of which only the hash did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<DependencyDiff>,
    /// Where it comes from, if Spack does not build it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalDiff>,
    /// The namespace, if it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<ValueDiff>,
    /// Patches that came or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patches: Option<PatchesDiff>,
    /// The hash of the recipe, if it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package_hash: Option<ValueDiff>,
    /// The hash of what it was built as, where it is or was spliced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build_spec: Option<ValueDiff>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ValueDiff {
    /// Before; missing if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// After; missing if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A variant before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VariantDiff {
    /// Name of the variant.
    pub name: String,
    /// Before; missing if the package had no such variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<VariantRow<String>>,
    /// After; missing if the package has no such variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<VariantRow<String>>,
}

/// A compiler before and after, as `gcc@12.2.0`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CompilerDiff {
    /// `c`, `cxx` or `fortran`; missing where both locks know only one compiler for all languages, as before Spack 1.0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Before; missing if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// After; missing if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Compiler flags before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FlagsDiff {
    /// `cflags`, `cxxflags` …
    pub name: String,
    /// Before.
    pub from: Vec<String>,
    /// After.
    pub to: Vec<String>,
}

/// A part of the architecture before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ArchDiff {
    /// `platform`, `os` or `target`.
    pub name: String,
    /// Before; missing if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// After; missing if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What happened to a dependency of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DependencyChange {
    Added,
    Removed,
    Changed,
    /// Another package provides the same virtual package.
    Replaced,
}

/// A dependency that differs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DependencyDiff {
    /// Its name; of one that was replaced, the virtual package that both provide.
    pub name: String,
    /// `added`, `removed`, `changed` or `replaced`.
    pub change: DependencyChange,
    /// The dependency before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DependencyEnd>,
    /// The dependency after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<DependencyEnd>,
}

/// A dependency as one of the locks has it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DependencyEnd {
    /// Name of the package.
    pub name: String,
    /// Its version, where the lock holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its hash.
    pub hash: String,
    /// build, link, run, test.
    #[schemars(with = "Vec<String>")]
    pub types: EdgeTypes,
    /// The virtual packages that it provides to the package.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub virtuals: Vec<String>,
}

/// Where a package that Spack does not build comes from, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ExternalDiff {
    /// Before; missing if Spack built it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<ExternalRow<String>>,
    /// After; missing if Spack builds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<ExternalRow<String>>,
}

/// Patches by their SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PatchesDiff {
    /// Applied only after.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub added: Vec<String>,
    /// Applied only before.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

/// A comparison in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DiffSummary {
    /// Packages only in the later lock.
    pub added: usize,
    /// Packages only in the earlier lock.
    pub removed: usize,
    /// Packages that changed.
    pub changed: usize,
    /// Of those that changed, nothing but the hash.
    pub only_hash: usize,
    /// Of all three, those that no root links to or runs.
    pub build_only: usize,
    /// Packages that both locks hold.
    pub same: usize,
}

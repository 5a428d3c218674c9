//! What an upgrade takes and gives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spack::lock::diff::rows::PackageDiff;

/// What is asked of an environment.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Asked {
    /// What is asked for. A spec of a root takes its place, keeping what else that root asks for; one of a package
    /// that is only a dependency becomes a requirement (`packages:NAME:require`); one of another package a new root.
    /// A name alone asks for the newest version that the rest allows, and requires nothing.
    pub specs: Vec<String>,
    /// Roots that are no longer asked for.
    pub remove: Vec<String>,
    /// Packages of which nothing is required any more.
    pub unask: Vec<String>,
    /// Solve everything again, with the newest versions.
    pub all: bool,
    /// What needs the asked packages is to use the new ones, too. Where `unify` is `true` it always does.
    pub dependents: bool,
    /// Ignore what is installed or in mirrors (`true`), or prefer it (`false`); left out, as configured, and with
    /// `all` ignored.
    pub fresh: Option<bool>,
}

/// Solves an environment so that it gets what is asked, and keeps all else where that is possible. Installs nothing.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct UpgradeArgs {
    /// Name of the environment, or its folder.
    pub name: String,
    #[serde(flatten)]
    pub asked: Asked,
}

/// What came of it.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Outcome {
    /// The manifest or the lock is another than before.
    pub changed: bool,
    /// What differs in the lock, package by package, each with the reason.
    pub changes: Vec<PackageDiff>,
    /// Packages that go on with what was replaced.
    pub stays: Vec<Stays>,
    /// How often the solver was started.
    pub solves: u32,
    /// What had to be given up for a solution.
    pub gave_up: Vec<String>,
}

/// An environment that is solved.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Upgraded {
    /// The environment.
    pub name: String,
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Concrete specs in the lock.
    pub specs: usize,
    /// Of these, not installed.
    pub missing: usize,
}

/// A package that goes on with what was replaced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Stays {
    /// Its name and version.
    pub name: String,
    /// Its hash.
    pub hash: String,
    /// What it stays on, as `name@version`.
    pub on: String,
}

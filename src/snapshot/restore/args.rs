//! What is asked of a restore, and what it tells.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::argument::Span;
use crate::spack::change::install::args::InstalledRow;

/// Puts an environment back to what it was: by hash, never by solving.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RestoreArgs {
    /// `NAME@NUMBER`, `NAME@good`, or the beginning of its id.
    pub snapshot: String,
    /// Make a new environment of it, with this name or in this folder, instead of putting its own back. Views and
    /// modules go into the new folder.
    pub into: Option<String>,
    /// Only this part.
    pub only: Option<Part>,
    /// Also the configuration files of the site and the user, as far as they hold no secrets.
    pub configuration: bool,
    /// Build what no mirror has, although its recipe has changed since.
    pub allow_drift: bool,
    /// Leave out what was only needed to build the others.
    pub no_build_deps: bool,
    /// Read every installed file; otherwise only those whose time is not that of the installation.
    pub deep: bool,
    /// Only from build caches; never build.
    pub cache_only: bool,
    /// Accept binaries without a valid signature.
    pub no_check_signature: bool,
    /// Record packages without building them; for tests of a site.
    pub fake: bool,
    /// Processes of one build.
    pub jobs: Option<u32>,
    /// End it after this long: seconds or words such as `"6h"`.
    pub timeout: Option<Span>,
}

/// A part of a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Manifest and lock, without installing anything.
    Lock,
    /// The configuration files.
    Configuration,
}

/// What was done to come back.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Restored {
    pub snapshot: String,
    pub env: String,
    /// Its folder.
    pub path: PathBuf,
    /// Files that were put back.
    pub written: Vec<PathBuf>,
    pub installed: Vec<InstalledRow>,
    /// Hashes whose mark as explicit or implicit was put back.
    pub marked: Vec<String>,
    /// What was only needed to build others and is not back, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// The snapshot of how it was before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Configuration files that are not as they were, and were left.
    pub differing: Vec<PathBuf>,
    pub seconds: f64,
}

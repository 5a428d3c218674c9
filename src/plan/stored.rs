//! The command line of a run, as far as it is needed to make the same run again.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCommand {
    /// Name of the workflow or path of the script, and its options.
    pub words: Vec<String>,
    pub cwd: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spack: Option<PathBuf>,
    /// The folder of a practice site that is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub practice: Option<PathBuf>,
}

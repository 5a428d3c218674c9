//! What an export has written.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

/// What was written.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Exported {
    pub snapshot: String,
    pub id: String,
    /// The file, or the folder in the work tree.
    pub path: PathBuf,
    /// Bytes of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The commit that holds it; none in a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// It was not there before.
    pub changed: bool,
}

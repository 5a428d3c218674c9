//! What is known of a run when it has ended.

use crate::check::Finding;
use crate::check::history::Change;
use crate::runs::read::RunDetail;

/// A run that has ended.
pub struct Ended {
    /// As the journal has it.
    pub script: String,
    pub run: Option<i64>,
    pub exit: u8,
    pub message: Option<String>,
    /// Packages that the error names.
    pub failed: Vec<String>,
    pub previous: Option<u8>,
    /// How the runs with the same options before it ended and when, newest first.
    pub exits: Vec<(u8, f64)>,
    /// When this attempt began and ended, in Unix seconds.
    pub began: f64,
    pub until: f64,
    pub detail: Option<RunDetail>,
    pub findings: Vec<Finding>,
    pub changes: Vec<Change>,
}

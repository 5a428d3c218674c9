//! What is told and kept when a run has ended: the line, the report, the metrics, the messages. It changes nothing
//! of the outcome.
//!
//! ```text
//! finish → summary → { ended, retention }
//! ```

pub(crate) mod ended;
pub(crate) mod finish;
pub(crate) mod retention;
pub(crate) mod summary;

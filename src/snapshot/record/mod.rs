//! Taking snapshots, marking them, and letting them go. Whether one could be restored is judged above.
//!
//! ```text
//! marks → { capture, prune } → { ensure, row, parts } → { configuration, state, source }
//! ```

pub mod capture;
pub mod configuration;
pub mod ensure;
pub mod marks;
pub mod parts;
pub mod prune;
pub mod row;
pub mod source;
pub mod state;

//! What is told and kept when a run has ended.

pub mod ended;
pub(crate) mod finish;
pub(crate) mod retention;
pub(crate) mod summary;

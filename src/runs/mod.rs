//! The runs on record: what was done, when, by whom, with what end. Reading only, but for pruning.

pub mod latest;
pub mod prune;
pub mod read;

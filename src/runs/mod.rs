//! The runs on record: what was done, when, by whom, with what end. Reading only, but for pruning; writing the
//! record is the business of `world::state`.
//!
//! ```text
//! { latest, prune } → read
//! ```

pub mod latest;
pub mod prune;
pub mod read;

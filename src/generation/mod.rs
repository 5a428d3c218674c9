//! Generations: an environment of its own for each state of a stack, built beside the one that users are on, and
//! made theirs by one rename. Numbers only grow, and going back is to a number. What an environment was is the
//! business of snapshots.
//!
//! ```text
//! { build → { solve, prune } → remove → guards → publish, claim } → { prove, pin } → { tree, show } → series
//! ```

pub mod build;
pub mod claim;
pub mod guards;
pub mod pin;
pub mod prove;
pub mod prune;
pub mod publish;
pub mod remove;
pub mod series;
pub mod show;
pub mod solve;
pub mod tree;

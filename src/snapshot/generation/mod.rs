//! Generations: an environment of its own for each state of a stack, built beside the one that users are on, and made
//! theirs by one rename. Numbers only grow, and going back is to a number.

pub mod build;
pub mod ledger;
pub mod lmod;
pub mod look;
pub mod place;
pub mod prove;
pub mod publish;
pub mod reach;
pub mod remove;
pub mod solve;

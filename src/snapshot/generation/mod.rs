//! Generations: an environment of its own for each state of a stack, built beside the one that users are on, and made
//! theirs by one rename. Numbers only grow, and going back is to a number.

pub mod build;
pub mod entrance;
pub mod guards;
pub mod ledger;
mod linkage;
pub mod lmod;
pub mod look;
pub mod pin;
pub mod place;
pub mod prove;
pub mod prune;
pub mod publish;
pub mod reach;
pub mod remove;
pub mod solve;
mod track;

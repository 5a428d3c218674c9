//! Policies: small questions that the core asks while no script is running, answered by one Rhai expression each,
//! which the site file may replace. An expression judges facts and changes nothing; it is checked when it is loaded,
//! limited when it runs, and where it fails the default decides. Workflows are not written in it.
//!
//! ```text
//! ruling → expression → { lint, slot } → { engine, facts, flaw, slots }
//! ```

mod engine;
pub mod expression;
pub mod facts;
pub mod flaw;
pub mod lint;
pub mod ruling;
pub mod slot;
pub mod slots;

pub use expression::Expression;
pub use flaw::Flaw;
pub use ruling::{Policies, Ruling};
pub use slot::{Answer, Question, Slot};
pub use slots::{SLOTS, slot};

#[cfg(test)]
mod tests;

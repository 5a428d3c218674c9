//! Typed Lua primitives over Spack, for the people who keep a site running.
//!
//! ```text
//! main → cli → repl → { script, reference, term } → api → domains → site → world → base
//! domains: spack ← { general, check, practice }
//! ```
//!
//! Each layer may use those to its right. `tests/layers.rs` keeps it so.

// Tests may unwrap; the product may not.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod api;
pub mod base;
pub mod check;
pub mod cli;
pub mod general;
pub mod practice;
pub mod reference;
pub mod repl;
pub mod script;
pub mod site;
pub mod spack;
pub mod term;
pub mod world;

//! Typed Lua primitives over Spack, for the people who keep a site running.
//!
//! ```text
//! main → cli → repl → { script, reference, term } → api → domain → site → world → base
//! ```
//!
//! Each layer may use those to its right. `tests/layers.rs` keeps it so.

pub mod api;
pub mod base;
pub mod check;
pub mod general;
pub mod script;
pub mod site;
pub mod spack;
pub mod world;

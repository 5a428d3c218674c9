//! Typed Lua primitives over Spack, for the people who keep a site running.
//!
//! ```text
//! main → cli → repl → { script, term } → reference → api →
//! { general, notify, schedule, practice, [queue], { check, [bundle] } → generation → snapshot → mirror } →
//! runs → plan → spack → site → { policy, world } → base
//! ```
//!
//! Each layer may use those to its right, but none in the same braces, save along an arrow within them. What is in
//! square brackets is not there yet; its place is kept. What joins two domains is in `api` or in Lua, and a runner of
//! jobs, which needs `script`, will live in `cli`. Only `world` changes files, starts processes or opens sockets. Each
//! room draws the order of its parts in its `mod.rs` in the same way, where `a ↔ b` says that two parts know each
//! other. `tests/hermetic/layers.rs` reads all pictures and keeps them so.

// Tests may unwrap; the product may not.
#![cfg_attr(not(test), warn(clippy::unwrap_used))]

pub mod api;
pub mod base;
pub mod check;
pub mod cli;
pub mod general;
pub mod generation;
pub mod mirror;
pub mod notify;
pub mod plan;
pub mod policy;
pub mod practice;
pub mod reference;
pub mod repl;
pub mod runs;
pub mod schedule;
pub mod script;
pub mod site;
pub mod snapshot;
pub mod spack;
pub mod term;
pub mod world;

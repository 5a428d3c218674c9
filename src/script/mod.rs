//! Lua: builds the machine, binds the primitives, runs scripts, turns errors into one type and back. What a
//! primitive does is not known here.
//!
//! ```text
//! trial → host → { bind, globals, help, steps } → { module, workflow, interrupt, task } → { value, check, loader, pulse }
//! ```

pub mod bind;
mod check;
mod globals;
pub mod help;
pub mod host;
mod interrupt;
pub mod loader;
pub mod module;
pub mod pulse;
pub mod steps;
pub mod task;
pub mod trial;
pub mod value;
pub mod workflow;

pub use host::Host;

//! Changes that Spack makes, one file a verb, each read back. What Spack printed or how it ended is never taken for
//! what was done.
//!
//! ```text
//! env → { install, gc } → { exec, uninstall, mark } → around
//! ```

pub mod around;
pub mod env;
pub mod exec;
pub mod gc;
pub mod install;
pub mod mark;
pub mod uninstall;

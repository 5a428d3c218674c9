//! Changes that Spack makes, each read back.

pub mod env;
pub mod exec;
pub mod gc;
pub mod install;
pub mod mark;
pub mod push;
pub mod share;
pub mod uninstall;

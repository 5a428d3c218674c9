//! Changes that Spack makes, each read back.

pub mod around;
pub mod env;
pub mod exec;
pub mod gc;
pub mod install;
pub mod mark;
pub mod uninstall;

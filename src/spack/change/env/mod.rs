//! Changes to environments.

pub mod change;
pub mod concretize;
pub mod hold;
pub mod install;

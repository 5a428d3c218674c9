//! Changes to environments.

pub mod change;
pub mod concretize;
pub mod hold;
pub mod lock;
pub mod view;

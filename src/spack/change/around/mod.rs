//! What belongs around a change of an environment: its lock, its views, and who may read them.

pub mod lock;
pub mod share;
pub mod view;

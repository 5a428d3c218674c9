//! Answers that join configuration, store, lock and environment.

pub mod concretize;
pub mod config_value;
pub mod env_diff;
pub mod env_status;
pub mod find;
pub mod select;
pub mod site;
pub mod unregistered_prefixes;
pub mod verify;

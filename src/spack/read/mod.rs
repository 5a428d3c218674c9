//! Answers that join configuration, store, lock and environment, and the two questions that only Spack can answer: a
//! solve and a value of its configuration. Nothing is changed.
//!
//! ```text
//! { env_diff, select, verify } →
//! { concretize, config_value, env_status ↔ roots, find, site, unregistered_prefixes }
//! ```

pub mod concretize;
pub mod config_value;
pub mod env_diff;
pub mod env_status;
pub mod find;
pub mod roots;
pub mod select;
pub mod site;
pub mod unregistered_prefixes;
pub mod verify;

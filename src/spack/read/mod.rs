//! Answers that join configuration, store, lock and environment, and the questions that only Spack can answer: a
//! solve, a value of its configuration, and what of it is refused. Nothing is changed.
//!
//! ```text
//! { env_diff, select, verify } →
//! { concretize, config_refusals, config_value, env_status ↔ roots, find → keepers, module_system, site,
//!   unregistered_prefixes }
//! ```

pub mod concretize;
pub mod config_refusals;
pub mod config_value;
pub mod env_diff;
pub mod env_status;
pub mod find;
pub mod keepers;
pub mod module_system;
pub mod roots;
pub mod select;
pub mod site;
pub mod unregistered_prefixes;
pub mod verify;

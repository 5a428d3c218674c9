//! Bytes into values: YAML and its scalars, JSON that is only skimmed, hashes, and how damage is told.

pub(crate) mod corrupt;
pub mod hash;
pub mod json_scan;
pub mod scalar;
pub mod yaml;

//! Bytes into values: YAML and its scalars, JSON that is only skimmed, hashes, and how damage is told. What the
//! values mean is not known here.
//!
//! ```text
//! { corrupt, hash, json_scan, layout, scalar ↔ yaml }
//! ```

pub(crate) mod corrupt;
pub mod hash;
pub mod json_scan;
pub mod layout;
pub mod scalar;
pub mod yaml;

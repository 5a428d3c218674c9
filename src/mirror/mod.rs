//! Build caches: which mirror holds what, and how something comes into one. How Spack is configured for mirrors is
//! read in `spack::config`; nothing here decides what is to be installed from where.
//!
//! ```text
//! push → holdings → answer
//! ```

pub mod answer;
pub mod holdings;
pub mod push;

//! Environments and their views: files read and written as Spack writes them. Which specs an environment gets is
//! solved elsewhere.
//!
//! ```text
//! view → descriptor → environment
//! ```

pub(crate) mod descriptor;
pub(crate) mod environment;
pub(crate) mod view;

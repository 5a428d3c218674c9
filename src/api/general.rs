//! The general primitives.

use super::Registry;

/// Declares them.
pub fn declare(_registry: &mut Registry) {}

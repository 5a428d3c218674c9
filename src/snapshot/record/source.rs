//! Where a hash could come from.

use schemars::JsonSchema;
use serde::Serialize;

/// Where a hash could come from, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// It is there.
    Installed,
    /// A mirror has it.
    Mirror,
    /// It can be built from the recipe that it was built from.
    Source,
    /// It can only be built from a recipe that has changed since.
    Drifted,
    /// Nothing has it, and no repository has a recipe.
    Gone,
}

//! What is installed: databases, the nodes in them, recipes, and questions to all of it. Read only, and without
//! knowing any environment.
//!
//! ```text
//! query → { kept, matcher, row } → stores → database → { binaries, node, recipes, prefix_manifest }
//! ```

pub mod binaries;
pub mod database;
pub mod kept;
pub(crate) mod matcher;
pub mod node;
pub mod prefix_manifest;
pub mod query;
pub mod recipes;
pub mod row;
pub mod stores;

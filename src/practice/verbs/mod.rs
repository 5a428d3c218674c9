//! The commands that the stand-in answers, one file a verb or a family of them. What several need lies below.
//!
//! ```text
//! { buildcache, find, info } → { remove, install } → env → { spec, track, module, verify }
//! ```

pub(crate) mod buildcache;
pub(crate) mod env;
pub(crate) mod find;
pub(crate) mod info;
pub(crate) mod install;
pub(crate) mod module;
pub(crate) mod remove;
pub(crate) mod spec;
pub(crate) mod track;
pub(crate) mod verify;

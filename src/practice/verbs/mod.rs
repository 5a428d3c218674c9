//! The commands that the stand-in answers.

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

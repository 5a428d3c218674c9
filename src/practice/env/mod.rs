//! Environments and their views.

pub(crate) mod descriptor;
pub(crate) mod environment;
pub(crate) mod view;

//! `spack.lock`: the file, what is in it, and what differs between two.

pub mod contents;
pub mod diff;
pub mod lockfile;
pub(crate) mod scan;

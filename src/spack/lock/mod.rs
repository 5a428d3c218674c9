//! `spack.lock`: the file, what is in it, and what differs between two. Whether a lock is what its manifest asks for
//! is answered in `read`.
//!
//! ```text
//! { contents, diff } → lockfile → scan
//! ```

pub mod contents;
pub mod diff;
pub mod lockfile;
mod scan;

//! `spack.lock`: the file, what is in it, and what differs between two. Whether a lock is what its manifest asks for
//! is answered in `read`.
//!
//! ```text
//! { contents, diff } → edges ↔ lockfile → scan
//! ```

pub mod contents;
pub mod diff;
mod edges;
pub mod lockfile;
mod scan;

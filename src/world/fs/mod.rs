//! Files: looks at them, layers over them, links, locks, who may read them. What is pretended for a plan is laid
//! over them here, and decided in `seam`.
//!
//! ```text
//! { overlay, replace } → { copy, link, lock, real, space } → eyes → { own_files, share } → access
//! ```

pub mod access;
pub mod copy;
pub mod eyes;
pub mod link;
pub mod lock;
pub mod lock_test;
pub mod overlay;
pub mod own_files;
pub mod real;
pub mod replace;
pub mod share;
pub mod space;

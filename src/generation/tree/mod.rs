//! What a generation's folder holds for its users, and whether they can use it: the file that activates it, Lmod's
//! cache, what its programs load, who may read it. Which generation users are on is not known here.
//!
//! ```text
//! { activation, linkage, lmod, readability }
//! ```

pub mod activation;
pub(crate) mod linkage;
pub mod lmod;
pub mod readability;

//! What a generation's folder holds for its users, and whether they can use it: the file that activates it, module
//! files, Lmod's cache, what its programs load, what its views lead to, who may read it. Which generation users are on
//! is not known here.
//!
//! ```text
//! { activation, linkage, lmod, readability, views } → modules
//! ```

pub mod activation;
pub(crate) mod linkage;
pub mod lmod;
pub mod modules;
pub mod readability;
pub mod views;

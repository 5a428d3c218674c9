//! What a generation's folder holds for its users, and whether they can use it.

pub mod activation;
pub(crate) mod linkage;
pub mod lmod;
pub mod readability;

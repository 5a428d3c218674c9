//! Starting Spack and reading back what it did.

pub mod events;
pub mod failure;
pub mod handed;
pub mod installed;
pub mod invocation;
pub mod invoke;
pub mod locks;
pub mod session;
pub mod verbs;

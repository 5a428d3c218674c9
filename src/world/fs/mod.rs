//! Files: looks at them, layers over them, locks, who may read them.

pub mod access;
pub mod copy;
pub mod eyes;
pub mod link;
pub mod lock;
pub mod lock_test;
pub mod overlay;
pub mod share;
pub mod space;

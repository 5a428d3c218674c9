//! Build caches: what they hold.

pub mod holdings;
pub mod push;

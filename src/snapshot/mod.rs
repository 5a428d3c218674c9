//! Snapshots: the record of what an environment was, and the way back to it. A snapshot is a small document beside
//! others of its environment; what it names (lock, manifest, configuration, the state of each hash) lies in a store
//! of objects that are called by their SHA-256 and kept once. Generations stand above: a snapshot knows none.
//!
//! ```text
//! { exchange, restore } → judge → record → store
//! ```

pub mod exchange;
pub mod judge;
pub mod record;
pub mod restore;
pub mod store;

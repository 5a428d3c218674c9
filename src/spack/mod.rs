//! Spack, read natively and driven through its command line: specs, the database, lock files, configuration,
//! environments. Reading starts no Python; nothing here writes Spack's files, but for manifests. Mirrors, snapshots
//! and generations are above.
//!
//! ```text
//! { change, rehearsal } → read → { drive, lock, linkage } → environment → store → config →
//! { text, spec }
//! ```

pub mod change;
pub mod config;
pub mod drive;
pub mod environment;
pub mod linkage;
pub mod lock;
pub mod read;
pub mod rehearsal;
pub mod spec;
pub mod store;
pub mod text;

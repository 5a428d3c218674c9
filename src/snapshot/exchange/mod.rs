//! Snapshots that leave the site and come to it: files, git work trees. What comes is believed in nothing that it
//! does not prove.
//!
//! ```text
//! export → git → { describe, exported, repository, import }
//! ```

pub mod describe;
pub mod export;
pub mod exported;
pub mod git;
pub mod import;
pub mod repository;

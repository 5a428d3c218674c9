//! Snapshots that leave the site and come to it.

pub mod describe;
pub mod export;
pub mod exported;
pub mod git;
pub mod import;
pub mod repository;

//! Snapshots: the record of what an environment was, and the way back to it. A snapshot is a small document beside
//! others of its environment; what it names (lock, manifest, configuration, the state of each hash) lies in a store
//! of objects that are called by their SHA-256 and kept once.

pub mod archive;
pub mod bring_back;
pub mod capture;
pub mod check;
pub mod configuration;
pub mod describe;
pub mod diff;
pub mod document;
pub mod ensure;
pub mod export;
pub mod generation;
pub mod git;
pub mod ground;
pub mod import;
pub mod list;
pub mod look;
pub mod marks;
pub mod object;
pub mod packing;
pub mod prune;
pub mod reference;
pub mod repository;
pub mod restore;
pub mod restore_into;
pub mod shelf;
pub mod state;
pub mod verify;

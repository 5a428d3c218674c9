//! Spack read natively: where it is, what it is configured to do, what its environments ask for. Nothing
//! here starts Python, and nothing here changes a file.

pub mod compilers;
pub mod config;
pub mod environment;
pub mod host;
pub mod include;
pub mod known;
pub mod locate;
pub mod manifest;
pub mod merge;
pub mod mirrors;
pub mod paths;
pub mod release;
pub mod repos;
pub mod scalar;
pub mod scopes;
pub mod settings;
pub mod speclist;
pub mod when;
pub mod yaml;

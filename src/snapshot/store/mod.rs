//! Where snapshots are kept: objects, documents, the index of an environment, the file that carries one elsewhere.

pub mod archive;
pub mod document;
pub mod index;
pub mod object;
pub mod packing;
pub mod reference;

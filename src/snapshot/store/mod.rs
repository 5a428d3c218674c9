//! Where snapshots are kept: objects, documents, the index of an environment, the file that carries one elsewhere.
//! What a snapshot means is not known here.
//!
//! ```text
//! reference → { archive, index } → document → object → packing
//! ```

pub mod archive;
pub mod document;
pub mod index;
pub mod object;
pub mod packing;
pub mod reference;

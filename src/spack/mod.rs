//! Spack, read natively: specs, the database, lock files. Nothing here starts Python, and nothing here
//! writes Spack's files; what is not understood is refused by name.

pub mod hash;
pub mod spec;
pub mod spec_lexer;
pub mod spec_parser;
pub mod spec_print;
pub mod version_list;
pub mod versions;

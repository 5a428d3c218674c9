//! Spack, read natively: specs, the database, lock files. Nothing here starts Python, and nothing here
//! writes Spack's files; what is not understood is refused by name.

mod damage;
pub mod database;
mod database_index;
mod database_read;
pub mod hash;
pub mod lockfile;
mod matcher;
pub mod node;
mod node_parts;
pub mod query;
mod recipe_text;
pub mod recipes;
pub mod row;
pub mod spec;
mod spec_lexer;
mod spec_merge;
mod spec_parser;
pub mod spec_print;
pub mod stores;
pub mod targets;
mod version_list;
mod version_order;
pub mod versions;

//! Whether the programs and libraries of a prefix find what they need, as the loader would look for it.

mod blocks;
pub mod elf;
pub mod versions;

//! Other programs, and this one as a process.

pub mod cwd;
pub mod orphans;
pub mod process;
pub mod program;
pub mod terminal;

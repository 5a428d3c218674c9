//! Other programs, and this one as a process: started with an argument list, within limits, ended with what they
//! started. There is no shell.
//!
//! ```text
//! process → { cwd, orphans, program, running, terminal } → descendants
//! ```

pub mod cwd;
mod descendants;
pub mod orphans;
pub mod process;
pub mod program;
pub mod running;
pub mod terminal;

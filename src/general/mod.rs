//! The general primitives: files, programs, HTTP, data formats, time, text and messages. They know no Spack beyond
//! the order of its versions, look through the world's eyes and change through its hands.
//!
//! ```text
//! { data, fs, fs_change, http, log, process, site, text, time, version }
//! ```

pub mod data;
pub mod fs;
pub mod fs_change;
pub mod http;
pub mod log;
pub mod process;
pub mod site;
pub mod text;
pub mod time;
pub mod version;

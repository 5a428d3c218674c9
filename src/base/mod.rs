//! Helpers without a domain: the error type, words for sizes and spans, suggestions, digests. Nothing here knows
//! Spack, Lua or the terminal, and nothing looks at the machine beyond the files that it is given.
//!
//! ```text
//! argument → { words, atomic, digest } → mod → trouble →
//! { nearest, chunk_names, clock, parallel, redact, text_diff }
//! ```

pub mod argument;
pub mod atomic;
pub mod chunk_names;
pub mod clock;
pub mod digest;
pub mod nearest;
pub mod parallel;
pub mod redact;
pub mod text_diff;
pub mod trouble;
pub mod words;

pub use trouble::{Kind, Trouble};

/// What almost every fallible function of the crate returns.
pub type Result<T, E = Trouble> = std::result::Result<T, E>;

//! Other machines: questions by HTTP, and messages that have to arrive. What is told, and to whom, is decided above.
//!
//! ```text
//! deliver → { ask, http }
//! ```

pub mod ask;
pub mod deliver;
pub mod http;

//! What belongs around a change of an environment: its lock before and after, its views, and who may read them. None
//! of it is a change that somebody asks for by itself.
//!
//! ```text
//! view → { lock, requests, share }
//! ```

pub mod lock;
pub mod requests;
pub mod share;
pub mod view;

//! One moonstack configuration, where its state lives, and the context that every operation is given. What is done
//! with a setting is in the domains.
//!
//! ```text
//! paths → channels ↔ config ↔ cx ↔ secrets ↔ shared → policies
//! ```

pub mod channels;
pub mod config;
pub mod cx;
pub mod paths;
pub mod policies;
pub mod secrets;
pub mod shared;

pub use cx::Cx;

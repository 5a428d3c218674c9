//! Changes to environments that somebody asks for. What belongs around each of them is in `around`.
//!
//! ```text
//! { change → asked, upgrade → concretize, hold, install }
//! ```

pub mod asked;
pub mod change;
pub mod concretize;
pub mod hold;
pub mod install;
pub mod upgrade;

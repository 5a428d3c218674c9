//! Tells somebody: chat servers over webhooks, people by mail, programs. What is told is a message; where it goes is
//! a channel of the site file or what a script names. That nobody could be told is a result, never a failed run. How
//! a message travels is in `world::net`.
//!
//! ```text
//! { call, change } → route → shapes → message
//! ```

pub mod call;
pub mod change;
pub mod message;
pub mod route;
pub mod shapes;

pub use message::{Message, Status};
pub use route::{Delivery, Route};

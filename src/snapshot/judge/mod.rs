//! What a snapshot holds, whether it is whole, what differs from it, and whether it could be restored now. Nothing
//! is changed.
//!
//! ```text
//! { list, show } → check → { restore_context, verify, diff }
//! ```

pub mod check;
pub mod diff;
pub mod list;
pub mod restore_context;
pub mod show;
pub mod verify;

//! What a snapshot holds, whether it is whole, and whether it could be restored now.

pub mod check;
pub mod diff;
pub mod list;
pub mod restore_context;
pub mod show;
pub mod verify;

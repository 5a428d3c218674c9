//! What surrounds a piece of work: its cancel, its events, its identity, what a resumed run remembers. None of it
//! touches the machine.
//!
//! ```text
//! { event, replay } → { cancel, identity, postcondition }
//! ```

pub mod cancel;
pub mod event;
pub mod identity;
pub mod postcondition;
pub mod replay;

//! Every look at the machine and every change to it. A domain operation is given a [`World`] and touches nothing
//! else; whether a change is made, recorded or refused is decided here alone. Why a change is made is not known
//! here.
//!
//! ```text
//! seam → net → { proc, state } → scope → fs → who
//! ```

pub mod fs;
pub mod net;
pub mod proc;
pub mod scope;
pub mod seam;
pub mod state;
pub mod who;

pub use fs::eyes::Eyes;
pub use scope::event::{Event, Watcher};
pub use seam::action::{Action, Effect, Outcome};
pub use seam::hands::Hands;
pub use seam::world::World;

//! The seam: the one trait through which the machine is changed.

use std::path::PathBuf;
use std::time::Duration;

use super::action::{Action, Outcome};
use super::input::{Input, InputKind};
use super::world::World;
use crate::base::Result;
use crate::world::seam::performing::Performing;
use crate::world::state::own_lock::OwnLock;

/// Finds out how the parts of something are.
pub type ReadInput<'a> = dyn Fn(&[&str]) -> Result<Input> + 'a;

/// Performs an action, or says what it would have done.
pub trait Hands: Send + Sync {
    fn perform<'a>(&'a self, world: &'a World, action: Action) -> Performing<'a, Outcome>;

    /// Does what is our own book-keeping (logs, requests) and no change of the site: no journal, no plan names it.
    fn keep<'a>(&'a self, world: &'a World, action: Action) -> Performing<'a, Outcome>;

    /// Takes one of our own locks, waiting for whoever has it. A plan changes nothing and takes none; it notes who
    /// would be in the way.
    fn lock<'a>(
        &'a self,
        path: PathBuf,
        what: &'a str,
        patience: Duration,
    ) -> Performing<'a, Option<OwnLock>>;

    /// Notes what a plan depends on: all of something, or these parts of it. A plan has those looked at that it does
    /// not know yet; a run has no use for any.
    fn depends(&self, _kind: InputKind, _name: &str, _parts: &[&str], _look: &ReadInput<'_>) -> Result<()> {
        Ok(())
    }

    /// Whether changes are only pretended; then time does not pass either.
    fn pretends(&self) -> bool {
        false
    }
}

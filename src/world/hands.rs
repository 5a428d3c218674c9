//! The seam: the one trait through which the machine is changed.

use std::future::Future;
use std::pin::Pin;

use super::{Action, Outcome, World};
use crate::base::Result;

pub type Performing<'a> = Pin<Box<dyn Future<Output = Result<Outcome>> + Send + 'a>>;

/// Performs an action, or says what it would have done.
pub trait Hands: Send + Sync {
    fn perform<'a>(&'a self, world: &'a World, action: Action) -> Performing<'a>;
}

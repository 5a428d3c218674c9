//! What a run is given with its command: the inputs that a plan remembers.

use std::cell::RefCell;

use crate::world::seam::input::Input;

/// Script, options, modules and site files as they are now.
#[derive(Debug, Default)]
pub struct GivenInputs(RefCell<Vec<Input>>);

impl GivenInputs {
    pub fn add(&self, input: Input) {
        self.0.borrow_mut().push(input);
    }

    pub fn all(&self) -> Vec<Input> {
        self.0.borrow().clone()
    }
}

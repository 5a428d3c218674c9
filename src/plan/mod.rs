//! Plans: what a script would do, written down with everything that it depends on, so that exactly that can be done
//! later or refused.

pub mod file;
pub mod inputs;
pub mod specs;
pub mod stored;

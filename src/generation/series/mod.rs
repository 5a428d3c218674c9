//! Which generations there are: where they lie, the ledger, and their entries in Spack's list.

pub mod history;
pub mod ledger;
pub mod place;
pub(crate) mod track;

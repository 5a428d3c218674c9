//! Which generations there are: where they lie, the ledger, their entries in Spack's list. Nothing here builds,
//! proves or publishes.
//!
//! ```text
//! { history, named } → { ledger, track } → place
//! ```

pub mod history;
pub mod ledger;
pub mod named;
pub mod place;
pub(crate) mod track;

//! Which generations there are and whose: where they lie, the ledger, links that stand ready, their entries in Spack's
//! list. Nothing here builds, proves or publishes.
//!
//! ```text
//! { history, named } → { ready, track } → ledger → { entry → unlisted, owner } → place
//! ```

pub mod entry;
pub mod history;
pub mod ledger;
pub mod named;
pub mod owner;
pub mod place;
pub(crate) mod ready;
pub(crate) mod track;
pub(crate) mod unlisted;

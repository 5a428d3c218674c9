//! Checks of a site's health. A check looks and never changes anything; a sweep runs many side by side, each on its
//! own time limit, and what it found is kept so that the next one can say what is new. Mending is for workflows.
//!
//! ```text
//! sweep → selection → checks → { definition, history, summary } →
//! { finding, site_view, thresholds, program }
//! ```

pub mod checks;
pub mod definition;
pub mod finding;
pub mod history;
pub mod program;
pub mod selection;
pub mod site_view;
pub mod summary;
pub mod sweep;
pub mod thresholds;

pub use definition::Check;
pub use finding::{Finding, Status};
pub use sweep::Wanted;

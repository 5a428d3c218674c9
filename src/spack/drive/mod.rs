//! Starting Spack and reading back what it did: its words, its environment, its log, its failures, the locks around
//! it. Which command is to be run is decided above.
//!
//! ```text
//! failure → { signs, invoke } → handed → { invocation, installed, locks } → { events, verbs, session } →
//! { site_words, spec_files }
//! ```

pub mod events;
pub mod failure;
pub mod handed;
pub mod installed;
pub mod invocation;
pub mod invoke;
pub mod locks;
pub mod session;
mod signs;
pub mod site_words;
mod spec_files;
pub mod verbs;

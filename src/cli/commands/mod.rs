//! One file a command: what was typed, done by means of the session. What several commands need is not here but in
//! the session or in `end`.
//!
//! ```text
//! schedule → { env, plan, workflows, verbs } →
//! { call, config, docs, find, run, policy, repl, runs, test } → failures
//! ```

pub(crate) mod call;
pub(crate) mod config;
pub(crate) mod docs;
pub(crate) mod env;
pub(crate) mod failures;
pub(crate) mod find;
pub(crate) mod plan;
pub(crate) mod policy;
pub(crate) mod repl;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod test;
pub(crate) mod verbs;
pub(crate) mod workflows;

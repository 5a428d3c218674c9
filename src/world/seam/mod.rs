//! The one place through which every change goes, made or pretended: the closed list of actions, the hands that
//! perform them, the hands that only write a plan. No look at the machine needs it.
//!
//! ```text
//! { live, planning } → { hands ↔ world, naming } → action → scene → { input, performing, planned, predicted }
//! ```

pub mod action;
pub mod hands;
pub mod input;
pub mod live;
pub mod naming;
pub mod performing;
pub mod planned;
pub mod planning;
pub mod predicted;
pub mod scene;
pub mod world;

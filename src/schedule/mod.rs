//! What runs unattended: when it is due, the crontab lines and systemd units that start it, how it stands, and what
//! a monitor reads of it. The schedules themselves are kept by cron or systemd; nothing here waits or starts.
//!
//! ```text
//! { crontab, units } → { job, standing } → when → words → { fields, metrics }
//! ```

pub mod crontab;
pub mod fields;
pub mod job;
pub mod metrics;
pub mod standing;
pub mod units;
pub mod when;
pub mod words;

pub use job::Job;
pub use when::Schedule;

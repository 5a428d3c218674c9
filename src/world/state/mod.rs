//! What is kept between runs: the database, the journal, the log of a run.

pub mod journal;
pub mod own_lock;
pub mod run_log;
pub mod shared_state;
pub mod steps;
pub mod store;

//! What is kept between runs: the database, the journal, the log of a run, our own locks. What a run means is not
//! known here.
//!
//! ```text
//! steps → journal → store → { shared_state, own_lock, run_log }
//! ```

pub mod journal;
pub mod own_lock;
pub mod run_log;
pub mod shared_state;
pub mod steps;
pub mod store;

//! What is kept between runs: the database, the journal, the log of a run, our own locks. What a run means is not
//! known here.
//!
//! ```text
//! steps → { entries, recollect } → journal → store → { shared_state, own_lock → holder, run_log } → private_record
//! ```

mod entries;
pub mod holder;
pub mod journal;
pub mod own_lock;
pub mod private_record;
pub mod recollect;
pub mod run_log;
pub mod shared_state;
pub mod steps;
pub mod store;

//! The time, behind a type so that tests can stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Tells the time: the system's, or a stopped one that a test moves.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// A clock that stands at `seconds` since 1970 until it is moved.
    pub fn stopped(seconds: i64) -> Self {
        Clock(Some(Arc::new(AtomicI64::new(seconds))))
    }

    pub fn advance(&self, seconds: i64) {
        if let Some(cell) = &self.0 {
            cell.fetch_add(seconds, Ordering::Relaxed);
        }
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Some(cell) => {
                Timestamp::from_second(cell.load(Ordering::Relaxed)).unwrap_or(Timestamp::UNIX_EPOCH)
            }
            None => Timestamp::now(),
        }
    }

    /// Seconds since 1970 with fraction, as scripts see time.
    pub fn seconds(&self) -> f64 {
        self.now().as_microsecond() as f64 / 1e6
    }
}

//! How much work something is, in processor time of the thread that does it: what else the machine does, and how long
//! somebody is kept waiting, does not count.

use std::time::Duration;

/// What this thread has worked so far, to a few milliseconds.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts it");
    Duration::from_nanos(text.split(' ').next().and_then(|n| n.parse().ok()).expect("a count"))
}

/// The work of something that is done by this thread alone.
pub fn effort<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = worked();
    let result = work();
    (result, worked().saturating_sub(before))
}

/// Fails where ten times as much to read is far more than ten times the work. The square would be a hundred times.
pub fn assert_in_proportion(what: &str, size: usize, work: impl Fn(usize)) {
    let few = effort(|| work(size / 10)).1;
    let many = effort(|| work(size)).1;
    // Below this nothing can be told from such a measurement.
    let least = Duration::from_millis(20);
    assert!(many < 40 * few.max(least), "{what}: {few:?}, and {many:?} for ten times as much");
}

//! Work on several threads: two pieces at once, where each is long enough to be worth a thread, or much of one kind.

/// More threads than this gain little.
const MOST: usize = 8;

/// Does both, one of them on a thread of its own, and gives what came of each.
pub fn both<A, B: Send>(one: impl FnOnce() -> A, other: impl FnOnce() -> B + Send) -> (A, B) {
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let one = one();
        match other.join() {
            Ok(other) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Does the work on pieces of at least so many items, side by side, and gives what came of each, in order.
pub fn pieces<T: Sync, R: Send>(items: &[T], fewest: usize, work: impl Fn(&[T]) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST);
    let each = items.len().div_ceil(threads).max(fewest).max(1);
    let work = &work;
    std::thread::scope(|scope| {
        let mut chunks = items.chunks(each);
        let first = chunks.next().unwrap_or_default();
        let others: Vec<_> = chunks.map(|chunk| scope.spawn(move || work(chunk))).collect();
        let mut out = vec![work(first)];
        for other in others {
            match other.join() {
                Ok(piece) => out.push(piece),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn every_item_is_done_once_and_in_order() {
        let doubled = |items: &[usize]| items.iter().map(|n| n * 2).collect::<Vec<_>>();
        for (length, fewest) in [(0, 1), (1, 0), (3, 10), (10, 1), (101, 7)] {
            let items: Vec<usize> = (0..length).collect();
            let expected: Vec<usize> = (0..length).map(|n| n * 2).collect();
            assert_eq!(pieces(&items, fewest, doubled).concat(), expected);
        }
    }
}

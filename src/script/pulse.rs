//! Whether Lua still takes notice. A text that only computes is stopped by the hook; one that sits in a function of
//! Lua's own library (`string.rep`, a pattern that never ends) is not, and somebody else has to see that.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::world::scope::cancel::Cancel;

/// From one look to the next.
const LOOK: Duration = Duration::from_millis(100);

/// The last sign of life of a machine's thread.
pub struct Pulse {
    begin: Instant,
    /// When Lua last took notice, in milliseconds from one on; 0 while something else than Lua is at work.
    at: AtomicU64,
    /// The scope of the main work.
    scope: Mutex<Option<Cancel>>,
}

impl Default for Pulse {
    fn default() -> Self {
        Pulse { begin: Instant::now(), at: AtomicU64::new(0), scope: Mutex::default() }
    }
}

impl Pulse {
    fn now(&self) -> u64 {
        self.begin.elapsed().as_millis() as u64 + 1
    }

    /// Lua takes notice.
    pub fn beat(&self) {
        if self.at.load(Ordering::Relaxed) != 0 {
            self.at.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Polls the main work of a scope, which is Lua.
    pub async fn lua<T>(self: Arc<Self>, scope: &Cancel, work: impl Future<Output = T>) -> T {
        let before = self.work_on(Some(scope.clone()));
        let result = self.polled(true, work).await;
        self.work_on(before);
        result
    }

    fn work_on(&self, scope: Option<Cancel>) -> Option<Cancel> {
        std::mem::replace(&mut *self.scope.lock().unwrap_or_else(PoisonError::into_inner), scope)
    }

    /// Polls what Lua has called and what is none: it may take its time.
    pub async fn other<T>(&self, work: impl Future<Output = T>) -> T {
        self.polled(false, work).await
    }

    async fn polled<T>(&self, is_lua: bool, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(move |cx| {
            let before = self.at.swap(if is_lua { self.now() } else { 0 }, Ordering::Relaxed);
            let polled = work.as_mut().poll(cx);
            self.at.store(if before == 0 { 0 } else { self.now() }, Ordering::Relaxed);
            polled
        })
        .await
    }

    /// The scope of the main work and the last sign of life, where Lua is at work that has to stop.
    fn overdue(&self) -> Option<(Cancel, u64)> {
        let at = self.at.load(Ordering::Relaxed);
        if at == 0 {
            return None;
        }
        let scope = self.scope.lock().unwrap_or_else(PoisonError::into_inner).clone();
        scope.filter(Cancel::is_cancelled).map(|scope| (scope, at))
    }

    /// Waits until Lua has to stop and takes no notice of that for so long. Gives the scope of the main work.
    pub fn wait_until_stuck(&self, patience: Duration) -> Cancel {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            match self.overdue() {
                Some((scope, at)) if at == last => {
                    if since.elapsed() >= patience {
                        return scope;
                    }
                }
                other => (last, since) = (other.map_or(0, |(_, at)| at), Instant::now()),
            }
            std::thread::sleep(LOOK);
        }
    }
}

//! Who may go on. The current scope (cancel token, deadline, shield, place in the run) is a task-local, so work
//! created while a scope is polled always sees the right one, however tasks interleave.

use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::base::{Kind, Result, Trouble};

/// How long cleanup may take once its scope is cancelled, where it does not ask for more.
pub const SHIELD_LIMIT: Duration = Duration::from_secs(30);
/// How long a program may take to unwind after a cancel before its scope stops waiting for it.
const UNWIND_LIMIT: Duration = Duration::from_mins(1);

tokio::task_local! {
    static CURRENT: Cancel;
}

/// One scope of work that can be cancelled as a whole.
#[derive(Debug, Clone)]
pub struct Cancel {
    token: CancellationToken,
    deadline: Option<Instant>,
    /// Cleanup in progress: the token is ignored until the shield ends.
    shields: Arc<Mutex<Vec<Instant>>>,
    /// Work that must be polled to its end even after a cancel, because it takes something down.
    holds: Arc<AtomicUsize>,
    task_path: Arc<TaskPath>,
}

/// Where in a run the work of a scope stands. Tasks that run side by side have paths of their own, named by the
/// order in which they were begun, so that a plan, its run and a resumed run can be compared one by one.
#[derive(Debug, Default)]
pub struct TaskPath {
    /// The step that the work belongs to.
    pub step: Option<String>,
    /// `1.3` is the third task within the first.
    pub path: String,
    /// A step that was kept is gone through again for its compensations: what is on record is given, nothing is done.
    pub recalls: bool,
    /// What was done is taken back.
    pub undoes: bool,
    begun: AtomicUsize,
    /// What was looked at since the last change, for the journal.
    looked: Mutex<Vec<ReadCall>>,
}

/// A look and what it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadCall {
    pub key: String,
    pub result: Value,
}

impl TaskPath {
    fn next(&self) -> TaskPath {
        let number = self.begun.fetch_add(1, Ordering::Relaxed) + 1;
        let path = if self.path.is_empty() { number.to_string() } else { format!("{}.{number}", self.path) };
        TaskPath { path, ..self.like() }
    }

    /// Of the same step and kind.
    fn like(&self) -> TaskPath {
        TaskPath {
            step: self.step.clone(),
            recalls: self.recalls,
            undoes: self.undoes,
            ..TaskPath::default()
        }
    }

    pub fn look(&self, looked: ReadCall) {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).push(looked);
    }

    /// What has to be written before the next change is.
    pub fn take_looks(&self) -> Vec<ReadCall> {
        std::mem::take(&mut *self.looked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Cancel {
            token: CancellationToken::new(),
            deadline: None,
            shields: Arc::default(),
            holds: Arc::default(),
            task_path: Arc::default(),
        }
    }
}

impl Cancel {
    /// A scope of its own, with a time limit if given.
    pub fn root(limit: Option<Duration>) -> Self {
        Cancel { deadline: limit.and_then(|l| Instant::now().checked_add(l)), ..Cancel::default() }
    }

    /// A scope that ends with this one and may end before it.
    pub fn child(&self, limit: Option<Duration>) -> Self {
        let own = limit.and_then(|l| Instant::now().checked_add(l));
        // Cleanup that starts children must not lose them to the cancel it is shielded from.
        let token = if self.shielded() { CancellationToken::new() } else { self.token.child_token() };
        let inherited = if self.shielded() { self.shield_end() } else { self.deadline };
        Cancel {
            token,
            deadline: match (inherited, own) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            shields: Arc::default(),
            holds: Arc::default(),
            task_path: Arc::new(self.task_path.next()),
        }
    }

    /// A scope for a step of the run, whose tasks are counted anew.
    pub fn step(&self, name: &str) -> Self {
        let task_path = TaskPath { step: Some(name.to_owned()), ..TaskPath::default() };
        Cancel { task_path: Arc::new(task_path), ..self.child(None) }
    }

    /// A scope in which a step that was kept is gone through again.
    pub fn recall(&self, name: &str) -> Self {
        let task_path = TaskPath { step: Some(name.to_owned()), recalls: true, ..TaskPath::default() };
        Cancel { task_path: Arc::new(task_path), ..self.child(None) }
    }

    /// A scope for a compensation of a step, or of the whole run, in a sequence of its own.
    pub fn undo(&self, step: Option<&str>, number: usize) -> Self {
        let path = format!("undo {number}");
        let task_path = TaskPath { step: step.map(str::to_owned), path, undoes: true, ..TaskPath::default() };
        Cancel { task_path: Arc::new(task_path), ..self.child(None) }
    }

    pub fn task_path(&self) -> &TaskPath {
        &self.task_path
    }

    /// The scope of the work that is being polled.
    pub fn current() -> Option<Cancel> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Runs `work` as the work of this scope.
    pub async fn enter<F: Future>(&self, work: F) -> F::Output {
        CURRENT.scope(self.clone(), work).await
    }

    pub fn cancel(&self) {
        self.token.cancel();
    }

    /// Whether work must stop now. A deadline that has passed cancels, also while a loop never awaits.
    pub fn is_cancelled(&self) -> bool {
        if self.shielded() {
            return self.shield_end().is_some_and(|end| Instant::now() > end);
        }
        if self.deadline.is_some_and(|d| Instant::now() > d) {
            self.token.cancel();
        }
        self.token.is_cancelled()
    }

    /// Whether somebody has cancelled it; a deadline that nobody has noticed yet does not count.
    pub fn was_cancelled(&self) -> bool {
        self.token.is_cancelled() && !self.shielded()
    }

    pub fn past_deadline(&self) -> bool {
        self.deadline.is_some_and(|d| Instant::now() >= d)
    }

    /// Begins cleanup that the token does not stop, for at most so long.
    pub fn shield(&self, limit: Duration) {
        if let (Ok(mut shields), Some(end)) = (self.shields.lock(), Instant::now().checked_add(limit)) {
            shields.push(end);
        }
    }

    pub fn unshield(&self) {
        if let Ok(mut shields) = self.shields.lock() {
            shields.pop();
        }
    }

    fn shielded(&self) -> bool {
        self.shields.lock().is_ok_and(|s| !s.is_empty())
    }

    fn is_shielded_now(&self) -> bool {
        self.shield_end().is_some_and(|end| Instant::now() < end)
    }

    fn shield_end(&self) -> Option<Instant> {
        self.shields.lock().ok().and_then(|s| s.first().copied())
    }

    /// Ends when this scope must stop.
    pub async fn cancelled(&self) {
        if self.shielded() {
            match self.shield_end() {
                Some(end) => tokio::time::sleep_until(end.into()).await,
                None => std::future::pending().await,
            }
            return;
        }
        match self.deadline {
            Some(deadline) => tokio::select! {
                () = self.token.cancelled() => {}
                () = tokio::time::sleep_until(deadline.into()) => self.token.cancel(),
            },
            None => self.token.cancelled().await,
        }
    }

    /// While the guard lives, a cancel waits for the work to take itself down.
    pub fn hold(&self) -> Hold {
        self.holds.fetch_add(1, Ordering::SeqCst);
        Hold(Arc::clone(&self.holds))
    }

    /// Awaits `work` unless the scope is cancelled first: the one wrapper around every await of a script.
    pub async fn guard<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::pin!(work);
        tokio::select! {
            biased;
            () = self.cancelled() => {
                if self.holds.load(Ordering::SeqCst) > 0 {
                    // What puts something back asks for its time itself.
                    while tokio::time::timeout(UNWIND_LIMIT, &mut work).await.is_err() && self.is_shielded_now() {}
                }
                Err(Trouble::cancelled())
            }
            result = &mut work => match result {
                // A hold that noticed the cancel before we did.
                Err(t) if t.is(Kind::Cancelled) => Err(Trouble::cancelled()),
                other => other,
            },
        }
    }
}

/// See [`Cancel::hold`].
#[derive(Debug)]
pub struct Hold(Arc<AtomicUsize>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(f: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(f)
    }

    #[test]
    fn a_deadline_cancels_a_wait_and_a_busy_loop() {
        block_on(async {
            let scope = Cancel::root(Some(Duration::from_millis(20)));
            let waited = scope.guard(async { std::future::pending::<Result<()>>().await }).await;
            assert_eq!(waited.unwrap_err().kind(), Kind::Cancelled);
            let busy = Cancel::root(Some(Duration::from_millis(1)));
            std::thread::sleep(Duration::from_millis(3));
            assert!(busy.is_cancelled());
        });
    }

    #[test]
    fn a_shield_hides_the_cancel_from_cleanup_and_its_children() {
        let scope = Cancel::root(None);
        scope.cancel();
        assert!(scope.is_cancelled());
        scope.shield(SHIELD_LIMIT);
        assert!(!scope.is_cancelled());
        assert!(!scope.child(None).is_cancelled());
        scope.unshield();
        assert!(scope.is_cancelled() && scope.child(None).is_cancelled());
    }

    #[test]
    fn a_hold_is_awaited_after_the_cancel() {
        block_on(async {
            let scope = Cancel::root(Some(Duration::from_millis(5)));
            let ended = Arc::new(AtomicUsize::new(0));
            let flag = Arc::clone(&ended);
            let inner = scope.clone();
            let work = async move {
                let _hold = inner.hold();
                tokio::time::sleep(Duration::from_millis(30)).await;
                flag.store(1, Ordering::SeqCst);
                Ok(())
            };
            assert!(scope.guard(work).await.is_err());
            assert_eq!(ended.load(Ordering::SeqCst), 1);
        });
    }
}

//! The state database: opened when first needed, migrated forward, refused when it is newer than this build.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};

use super::shared_state::SharedState;
use crate::base::{Kind, Result, Trouble};
use crate::world::fs::eyes::LiveEyes;
use crate::world::fs::own_files::{self, Open};
use crate::world::fs::real::real_path;
use crate::world::fs::space;

/// Forward-only steps; a step that was released never changes.
const MIGRATIONS: &[&str] = &["
CREATE TABLE runs (
  id INTEGER PRIMARY KEY, script TEXT NOT NULL, digest TEXT, options TEXT NOT NULL, user TEXT NOT NULL,
  host TEXT NOT NULL, pid INTEGER NOT NULL, version TEXT NOT NULL, started REAL NOT NULL, ended REAL,
  exit INTEGER, message TEXT
) STRICT;
CREATE TABLE actions (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, name TEXT NOT NULL,
  detail TEXT NOT NULL, place TEXT, started REAL NOT NULL, ended REAL, outcome TEXT
) STRICT;
CREATE INDEX actions_by_run ON actions(run);
CREATE TABLE findings (
  id INTEGER PRIMARY KEY, run INTEGER, sweep TEXT NOT NULL, at REAL NOT NULL, name TEXT NOT NULL,
  subject TEXT, status TEXT NOT NULL, message TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX findings_by_name ON findings(name, at);
", "
ALTER TABLE runs ADD COLUMN kind TEXT NOT NULL DEFAULT 'run';
ALTER TABLE runs ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN spack TEXT;
ALTER TABLE runs ADD COLUMN log TEXT;
ALTER TABLE runs ADD COLUMN modules TEXT;
ALTER TABLE runs ADD COLUMN plan TEXT;
ALTER TABLE runs ADD COLUMN command TEXT;
ALTER TABLE actions ADD COLUMN attempt INTEGER NOT NULL DEFAULT 1;
ALTER TABLE actions ADD COLUMN step TEXT;
ALTER TABLE actions ADD COLUMN strand TEXT NOT NULL DEFAULT '';
ALTER TABLE actions ADD COLUMN content TEXT;
ALTER TABLE actions ADD COLUMN subjects TEXT;
ALTER TABLE actions ADD COLUMN call TEXT;
ALTER TABLE actions ADD COLUMN promise TEXT;
CREATE TABLE calls (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, attempt INTEGER NOT NULL,
  step TEXT, strand TEXT NOT NULL, call TEXT NOT NULL, result TEXT NOT NULL, proofs TEXT NOT NULL,
  action INTEGER
) STRICT;
CREATE INDEX calls_by_run ON calls(run);
CREATE TABLE steps (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs(id) ON DELETE CASCADE, attempt INTEGER NOT NULL,
  name TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL, result TEXT, message TEXT,
  started REAL NOT NULL, ended REAL, UNIQUE (run, name)
) STRICT;
CREATE INDEX runs_by_script ON runs(script, started);
", "
ALTER TABLE runs ADD COLUMN boot TEXT;
ALTER TABLE runs ADD COLUMN began INTEGER;
ALTER TABLE calls ADD COLUMN secret TEXT;
ALTER TABLE actions ADD COLUMN secret TEXT;
ALTER TABLE steps ADD COLUMN secret TEXT;
ALTER TABLE steps ADD COLUMN error TEXT;
ALTER TABLE steps ADD COLUMN undo INTEGER NOT NULL DEFAULT 0;
"];

/// One SQLite file, shared by the threads of this process.
pub struct Store {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
    shared: SharedState,
    /// Other machines may have its file system mounted. SQLite's write-ahead log is for the processes of one machine, so
    /// there is none then, and we take turns by a lock of our own.
    networked: OnceLock<bool>,
}

/// How long those wait for their turn at a database that other machines may use.
const PATIENCE: Duration = Duration::from_secs(10);

impl Store {
    /// Nothing is opened yet: a command that keeps no state must not pay for it.
    pub fn at(path: PathBuf) -> Self {
        Store {
            path,
            connection: Mutex::new(None),
            shared: SharedState::default(),
            networked: OnceLock::new(),
        }
    }

    /// One in a folder that several admins use.
    pub fn shared_with(self, shared: SharedState) -> Self {
        Store { shared, ..self }
    }

    /// Who uses the folder of the database.
    pub fn shared(&self) -> &SharedState {
        &self.shared
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that it is in.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// A copy in memory, for a plan: what it writes is seen by the plan and by nobody else.
    pub fn for_plan(path: PathBuf) -> Result<Self> {
        let fail = |e: rusqlite::Error| from_sqlite(&path, &e);
        let mut copy = Connection::open_in_memory().map_err(fail)?;
        own_files::check(&path)?;
        if path.exists() {
            let _turn = if space::is_networked(&path) { turn(&path)? } else { None };
            let real = open_unchanged(&path).map_err(fail)?;
            rusqlite::backup::Backup::new(&real, &mut copy)
                .and_then(|backup| backup.run_to_completion(10_000, Duration::ZERO, None))
                .map_err(fail)?;
        }
        migrate(&mut copy, &path)?;
        let store = Store { connection: Mutex::new(Some(copy)), ..Store::at(path) };
        // What is in memory is nobody else's.
        let _ = store.networked.set(false);
        Ok(store)
    }

    /// Runs `work` on the database, opening it first if need be.
    pub fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut slot =
            self.connection.lock().map_err(|_| Trouble::new(Kind::Internal, "state database lock"))?;
        if slot.is_none() {
            self.shared.ready()?;
        }
        let networked = *self.networked.get_or_init(|| space::is_networked(&self.path));
        let _turn = if networked { turn(&self.path)? } else { None };
        if slot.is_none() {
            *slot = Some(open(&self.path, networked)?);
        }
        match slot.as_mut() {
            Some(connection) => work(connection).map_err(|e| self.trouble(&e)),
            None => Err(Trouble::new(Kind::Internal, "state database is not open")),
        }
    }

    /// The same where what is written must outlast a loss of power that follows at once: with it all that was written
    /// before.
    pub fn durably<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.with(|connection| {
            connection.pragma_update(None, "synchronous", "FULL")?;
            let done = work(connection);
            connection.pragma_update(None, "synchronous", "NORMAL")?;
            done
        })
    }

    fn trouble(&self, error: &rusqlite::Error) -> Trouble {
        from_sqlite(&self.path, error)
    }
}

/// Held while somebody works on a database that other machines may use.
struct Turn(File);

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

fn turn(path: &Path) -> Result<Option<Turn>> {
    let lock = own_files::open(&path.with_extension("db-lock"), Open::Change)?;
    let begin = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(Turn(lock))),
            Err(TryLockError::WouldBlock) if begin.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => {
                let message = format!("state database {}: another process is at work on it", path.display());
                return Err(Trouble::new(Kind::Lock, message).retryable());
            }
            Err(TryLockError::Error(error)) => return Err(Trouble::io("lock", path, error)),
        }
    }
}

fn from_sqlite(path: &Path, error: &rusqlite::Error) -> Trouble {
    use rusqlite::ErrorCode as E;
    let kind = match error.sqlite_error_code() {
        Some(E::DiskFull) => Kind::Disk,
        // SQLite has no word for a full disk where it makes the files of its log.
        Some(E::SystemIoFailure | E::CannotOpen) if is_full(path) => Kind::Disk,
        Some(E::PermissionDenied | E::ReadOnly | E::CannotOpen) => Kind::Permission,
        Some(E::DatabaseBusy | E::DatabaseLocked) => Kind::Lock,
        Some(E::DatabaseCorrupt | E::NotADatabase) => Kind::Corrupt,
        _ => Kind::Io,
    };
    let reason = match kind {
        Kind::Disk => "there is no space left on its file system".to_owned(),
        _ => error.to_string(),
    };
    Trouble::new(kind, format!("state database {}: {reason}", path.display()))
        .hint("`state` in the site file or MOONSTACK_STATE names another folder")
        .fact("path", path.display().to_string())
}

fn is_full(path: &Path) -> bool {
    const NEEDED: u64 = 256 * 1024;
    let folder = path.parent().unwrap_or(path);
    space::space(folder).is_ok_and(|space| space.free_bytes < NEEDED)
}

/// Opens a database without leaving a trace: even a reader makes the files of the write-ahead log, where nobody has
/// made them yet. Without these there is nobody who writes.
fn open_unchanged(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if path.with_extension("db-wal").exists() {
        return Connection::open_with_flags(path, flags);
    }
    let name = path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags | OpenFlags::SQLITE_OPEN_URI)
}

fn open(path: &Path, networked: bool) -> Result<Connection> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Trouble::io("create", folder, e))?;
    }
    let fail = |e: rusqlite::Error| from_sqlite(path, &e);
    // What people did is for those who work on the site; SQLite gives its other files the bits of this one.
    // One that is there is not opened by us: closing it would end the locks of another connection.
    own_files::check(path)?;
    if !path.exists() {
        drop(own_files::open(path, Open::Change)?);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let real = real_path(&LiveEyes, path);
    let mut connection = Connection::open_with_flags(real, flags).map_err(fail)?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(fail)?;
    let mode = if networked { "DELETE" } else { "WAL" };
    let set = format!("PRAGMA journal_mode = {mode}; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;");
    connection.execute_batch(&set).map_err(fail)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<()> {
    let fail = |e: rusqlite::Error| from_sqlite(path, &e);
    // The version is read again inside the transaction: another process may migrate at the same moment.
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(fail)?;
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(Trouble::new(
            Kind::UnknownFormat,
            format!(
                "state database {} has version {version}; this build knows up to {known}",
                path.display()
            ),
        )
        .hint("use the newer moonstack that wrote it, or another state folder"));
    }
    for step in MIGRATIONS.iter().skip(version.max(0) as usize) {
        transaction.execute_batch(step).map_err(fail)?;
    }
    transaction.pragma_update(None, "user_version", known).map_err(fail)?;
    transaction.commit().map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrates_from_nothing_and_refuses_the_future() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/state.db");
        let store = Store::at(path.clone());
        let tables: i64 = store
            .with(|c| c.query_row("SELECT count(*) FROM sqlite_master WHERE type='table'", [], |r| r.get(0)))
            .unwrap();
        assert_eq!(tables, 5);
        store.with(|c| c.pragma_update(None, "user_version", 99)).unwrap();
        let error = Store::at(path).with(|_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), Kind::UnknownFormat);
    }

    #[test]
    fn where_other_machines_may_work_on_it_there_is_no_write_ahead_log_and_one_works_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        let store = || {
            let store = Store::at(path.clone());
            store.networked.set(true).unwrap();
            store
        };
        let mode = |c: &mut Connection| c.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0));
        // One that was made on a disk of its own is changed.
        assert_eq!(Store::at(path.clone()).with(mode).unwrap(), "wal");
        assert_eq!(store().with(mode).unwrap(), "delete");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let store = store();
                    for _ in 0..20 {
                        let alone = |_: &mut Connection| {
                            let before = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                            std::thread::sleep(Duration::from_millis(1));
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            Ok(before)
                        };
                        assert_eq!(store.with(alone).unwrap(), 0);
                    }
                });
            }
        });
        assert!(!path.with_extension("db-wal").exists());
        assert!(!space::is_networked(dir.path()) && !space::is_networked(&dir.path().join("not/there")));
    }

    #[test]
    fn what_must_outlast_a_loss_of_power_is_synced_and_the_rest_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("state.db"));
        let synced = |c: &mut Connection| c.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0));
        assert_eq!((store.durably(synced).unwrap(), store.with(synced).unwrap()), (2, 1));
        // Also after work that fails.
        assert!(store.durably(|c| c.execute("nonsense", [])).is_err());
        assert_eq!(store.with(synced).unwrap(), 1);
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state.db");
        std::fs::write(&path, "this is not a database, but it is long enough to be read as one".repeat(40))
            .unwrap();
        assert_eq!(Store::at(path).with(|_| Ok(())).unwrap_err().kind(), Kind::Corrupt);
    }
}

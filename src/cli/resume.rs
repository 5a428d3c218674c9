//! Going on with a run: whether it may be, by whom, and with which command. Nothing is put on record here: a resume
//! that is refused leaves the run as it was.

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::ResumeArgs;
use super::session::Session;
use crate::base::{Kind, Result, Trouble, digest};
use crate::plan::stored::StoredCommand;
use crate::runs::read::{self, RunRow, RunState};
use crate::world::proc::orphans;
use crate::world::state::journal::run_lock;
use crate::world::state::own_lock::{self, OwnLock};
use crate::world::state::private_record::{Beginning, Recalled};
use crate::world::state::recollect::Resumption;
use crate::world::state::store::Store;
use crate::world::who::{self, Process};

/// How long whoever only looks at a run may hold its lock.
const GLANCE: Duration = Duration::from_secs(1);

/// A run that may be gone on with, as far as that can be told before its site is open.
pub struct Approved {
    pub row: RunRow,
    pub stored: StoredCommand,
    /// None where everything is done again, in a run of its own.
    pub resumption: Option<Resumption>,
    /// Of the script when the last attempt began.
    digest: Option<String>,
    modules: BTreeMap<String, String>,
    changed_is_said: bool,
    is_fresh: bool,
}

pub async fn approve(store: &Store, args: &ResumeArgs) -> Result<Approved> {
    let row = read::run(store, args.id)?;
    if matches!(row.state, RunState::Running) {
        return Err(busy(&row));
    }
    let lock = if args.fresh { None } else { Some(lock(store, &row).await?) };
    // Another resume may have come first.
    let row = if lock.is_some() { read::run_of_lock(store, args.id)? } else { row };
    if matches!(row.state, RunState::Ok) && !args.fresh {
        let message = format!("run {} has ended well; nothing is left to do", row.id);
        return Err(Trouble::new(Kind::Refused, message).hint("--fresh does everything again"));
    }
    let recalled = Recalled::read(store.folder(), row.id, row.attempt)?;
    let by = who_began(&row, &recalled);
    if let Some(by) = by
        && !args.other_user
    {
        let me = who::user();
        return Err(Trouble::new(
            Kind::Refused,
            format!("run {} was begun by {by}; its script would run now with the rights of {me}", row.id),
        )
        .hint(format!(
            "`moonstack runs show {}` shows what it is; --other-user resumes it all the same",
            row.id
        )));
    }
    let stored = match &recalled.beginning {
        Some(beginning) => stored(&row, beginning)?,
        None => read::command(store, row.id)?,
    };
    let (digest, modules) = match &recalled.beginning {
        Some(beginning) => (beginning.digest.clone(), recalled.modules.clone()),
        None => read::digests(store, row.id)?,
    };
    let resumption = lock.map(|lock| Resumption { run: row.id, lock, recalled });
    Ok(Approved {
        row,
        stored,
        resumption,
        digest,
        modules,
        changed_is_said: args.changed,
        is_fresh: args.fresh,
    })
}

fn busy(row: &RunRow) -> Trouble {
    Trouble::new(Kind::Busy, format!("run {} is still running", row.id))
        .hint(format!("process {} on {}", row.pid, row.host))
}

async fn lock(store: &Store, row: &RunRow) -> Result<OwnLock> {
    store.shared().ready()?;
    let path = run_lock(store.folder(), row.id);
    match own_lock::own(&path, &format!("run {}", row.id), GLANCE).await {
        Ok(lock) => Ok(lock.passing(path)),
        Err(trouble) if trouble.is(Kind::Lock) => {
            let busy = Trouble::new(Kind::Busy, format!("run {} is being resumed already", row.id));
            Err(trouble.hints().iter().fold(busy, Trouble::hint))
        }
        Err(trouble) => Err(trouble),
    }
}

/// Who began the last attempt, if that was not this user.
fn who_began(row: &RunRow, recalled: &Recalled) -> Option<String> {
    let Some(owner) = recalled.owner else {
        return Some(format!("{} by the journal, which has no proof of it", row.user));
    };
    let named = recalled.beginning.as_ref().map_or(row.user.as_str(), |beginning| beginning.user.as_str());
    let is_me = owner == nix::unistd::geteuid().as_raw()
        && recalled.beginning.as_ref().is_some_and(|beginning| beginning.user == who::user());
    (!is_me).then(|| format!("{named} (user id {owner})"))
}

fn stored(row: &RunRow, beginning: &Beginning) -> Result<StoredCommand> {
    serde_json::from_value(beginning.command.clone()).map_err(|e| {
        Trouble::new(Kind::Corrupt, format!("the command of run {} cannot be read: {e}", row.id))
            .hint("start it anew with `moonstack run`")
    })
}

impl Approved {
    /// Refuses if the script, or a module of it, is another one than when the run began.
    pub fn check(&self, session: &Session) -> Result<()> {
        if self.changed_is_said || self.is_fresh {
            return Ok(());
        }
        let loader = session.loader(None);
        let name = self.stored.words.first().cloned().unwrap_or_default();
        let mut changed = Vec::new();
        if let Some(then) = &self.digest
            && digest::bytes(&loader.script(&name)?.text) != *then
        {
            changed.push(format!("the script {name}"));
        }
        for (name, then) in &self.modules {
            let now = loader.text_of(name).map(|text| digest::bytes(text.as_bytes()));
            if now.as_ref() != Some(then) {
                changed.push(format!("the module {name}"));
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        let message = format!("{} has changed since run {} began", changed.join(" and "), self.row.id);
        Err(Trouble::new(Kind::Refused, message)
            .hint("--changed resumes it with what is there now; --fresh does everything again")
            .fact("changed", changed))
    }

    /// How the attempt before ended.
    pub fn exit_before(&self) -> Option<u8> {
        self.row.exit.filter(|_| !self.is_fresh)
    }

    /// Ends what the interrupted run has left running, and removes the files that it was writing.
    pub fn tidy(&self, session: &Session) -> Result<()> {
        let store = &session.cx.site.store;
        let process = Process { pid: self.row.pid, host: self.row.host.clone(), boot: None, began: None };
        if process.is_here() {
            let ended = orphans::end(self.row.pid);
            orphans::sweep(self.row.pid, &read::unfinished_folders(store, self.row.id)?);
            if ended > 0 {
                let message = format!("ended {ended} processes that the interrupted run had left behind");
                session.printer.note(&message);
            }
        }
        Ok(())
    }
}

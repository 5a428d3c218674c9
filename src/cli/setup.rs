//! From the command line to a context: site files, state, journal, Spack's variables, the Lua machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::args::{Command, Global};
use super::interrupt::Interrupts;
use super::output::Output;
use crate::api::{self, Registry};
use crate::base::clock::Clock;
use crate::base::{Result, Trouble};
use crate::script::Host;
use crate::script::loader::Loader;
use crate::site::config::Loaded;
use crate::site::cx::Site;
use crate::site::{Cx, paths};
use crate::world::World;
use crate::world::cancel::Cancel;
use crate::world::event::Blind;
use crate::world::eyes::LiveEyes;
use crate::world::journal::{About, Journal};
use crate::world::live::LiveHands;
use crate::world::store::Store;

/// Everything that one command works with.
pub struct Session {
    pub cx: Cx,
    pub registry: Rc<Registry>,
    pub scope: Cancel,
    pub interrupts: Interrupts,
}

impl Session {
    pub fn open(global: &Global, command: &Command, _output: &Output) -> Result<Session> {
        let eyes = Arc::new(LiveEyes);
        let loaded = Loaded::read(&*eyes, global.site.as_deref(), paths::user_config().as_deref())?;
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect();
        let state = paths::state(&loaded.config);
        let store = Arc::new(Store::at(state.join("state.db")));
        let clock = Clock::default();
        let journal = Arc::new(Journal::new(Arc::clone(&store), clock.clone(), about(command)));
        let world = World {
            eyes,
            hands: Arc::new(LiveHands::new(Some(Arc::clone(&journal)))),
            watcher: Arc::new(Blind),
            clock,
        };
        let site = Site::new(loaded, state, store, journal, global.spack.clone(), variables, None);
        let scope = Cancel::root(global.timeout);
        let interrupts = Interrupts::listen()?;
        interrupts.watch(&scope);
        Ok(Session {
            cx: Cx { world, site: Arc::new(site) },
            registry: Rc::new(api::registry()),
            scope,
            interrupts,
        })
    }

    /// The Lua machine; `folder` is the script's own, searched first for modules.
    pub fn host(&self, output: &Output, folder: Option<PathBuf>) -> Result<Host> {
        let out = output.clone();
        let print = Rc::new(move |text: &str| out.line(text));
        Host::new(self.cx.clone(), Rc::clone(&self.registry), self.loader(folder), print)
    }

    pub fn loader(&self, folder: Option<PathBuf>) -> Loader {
        let folders = folder.into_iter().chain(self.cx.site.loaded.config.scripts.iter().cloned()).collect();
        Loader { eyes: Arc::clone(&self.cx.world.eyes), folders }
    }

    /// Ends the run's journal row.
    pub fn close(&self, result: &Result<u8, Trouble>) {
        let (code, message) = match result {
            Ok(code) => (*code, None),
            Err(t) => (t.kind().exit_code(), Some(t.message())),
        };
        if let Err(trouble) = self.cx.site.journal.end(code, message) {
            tracing::error!("journal: {trouble}");
        }
    }
}

/// What the journal says of the run.
fn about(command: &Command) -> About {
    let (script, options) = match command {
        Command::Run { name, args } => {
            (name.clone(), args.iter().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().into())
        }
        Command::Eval { code } => (String::from("eval"), code.as_str().into()),
        Command::Call { name, arguments } => (format!("call {name}"), arguments.clone().into()),
        _ => (String::from("command"), serde_json::Value::Null),
    };
    About { script, digest: None, options }
}

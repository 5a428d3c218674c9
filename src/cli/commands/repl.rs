//! `repl`: a session.

use std::rc::Rc;
use std::sync::Arc;

use crate::base::Result;
use crate::cli::session::Session;
use crate::repl::{ReplOptions, run};
use crate::spack::drive::session::Scope;
use crate::spack::environment;
use crate::world::Action;

pub async fn repl(session: &Session) -> Result<u8> {
    let host = Rc::new(session.host(None)?);
    let state = session.cx.site.state.clone();
    // A session without history is still a session.
    let history = match session.cx.world.perform(Action::MakeFolder { path: state.clone() }).await {
        Ok(_) => Some(state.join("history")),
        Err(trouble) => {
            session.printer.warn(&format!("no history is kept: {}", trouble.message()));
            None
        }
    };
    let cx = session.cx.clone();
    let interrupts = session.interrupts.clone();
    let options = ReplOptions {
        history,
        colour: session.printer.out_colour,
        printer: Arc::clone(&session.printer),
        environments: Rc::new(move || {
            let found = Scope::open(&cx, None).and_then(|s| environment::list(&*cx.world.eyes, &s.config));
            found.unwrap_or_default().into_iter().map(|e| e.name).collect()
        }),
        watch: Rc::new(move |scope| interrupts.watch(scope)),
        timeout: session.timeout,
    };
    run(host, options).await
}

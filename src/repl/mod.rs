//! The session at the prompt: reads a statement, evaluates it on the machine's thread under a scope of its own,
//! shows what it gave. Ctrl-C ends the statement, Ctrl-D the session. Statements from a pipe are run like a script.
//! How values look is decided in `term`.
//!
//! ```text
//! reader → { complete, highlight } → lex
//! ```

mod complete;
mod highlight;
mod lex;
mod reader;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mlua::{MultiValue, Value};

use crate::base::{Kind, Result, Trouble};
use crate::script::host::Uncompiled;
use crate::script::{Host, help, value};
use crate::term::Printer;
use crate::world::proc::terminal;
use crate::world::scope::cancel::Cancel;

use reader::{Request, StatementReader};

/// The name of what is typed, in errors.
const CHUNK: &str = "session";

/// What the command line decides.
pub struct ReplOptions {
    /// The history file; its folder must exist.
    pub history: Option<PathBuf>,
    pub colour: bool,
    pub printer: Arc<Printer>,
    /// Names for completion, asked for at each Tab where an environment may stand.
    pub environments: Rc<dyn Fn() -> Vec<String>>,
    /// Told which scope the next Ctrl-C or SIGTERM cancels.
    pub watch: Rc<dyn Fn(&Cancel)>,
    /// Time limit of one statement.
    pub timeout: Option<Duration>,
}

/// Runs a session and gives its exit code.
pub async fn run(host: Rc<Host>, options: ReplOptions) -> Result<u8> {
    host.allow_globals();
    let session = Session { host, options, told_local: std::cell::Cell::new(false) };
    if !std::io::stdin().is_terminal() {
        return session.follow().await;
    }
    terminal::remember();
    let code = session.talk().await;
    terminal::restore();
    code
}

struct Session {
    host: Rc<Host>,
    options: ReplOptions,
    told_local: std::cell::Cell<bool>,
}

impl Session {
    /// With a person at a terminal.
    async fn talk(&self) -> Result<u8> {
        let printer = &self.options.printer;
        printer.note(concat!(
            "moonstack ",
            env!("CARGO_PKG_VERSION"),
            ", Lua 5.4. help() lists what there is, Tab completes, Ctrl-D ends."
        ));
        let mut reader = StatementReader::terminal(self.options.history.clone(), self.options.colour)?;
        reader.next();
        loop {
            match self.request(&mut reader).await? {
                Some(Request::Line(line)) => {
                    match line.trim() {
                        "" => {}
                        "quit" | "exit" | "quit()" | "exit()" => printer.line("Ctrl-D ends the session"),
                        "help" => drop(self.statement("help()").await),
                        text => {
                            if let Err(trouble) = self.statement(text).await {
                                self.show_trouble(&trouble, text);
                            }
                        }
                    }
                    reader.next();
                }
                Some(Request::Cleared) => reader.next(),
                Some(Request::End) => return Ok(0),
                Some(Request::Failed(reason)) => {
                    return Err(Trouble::new(Kind::Io, format!("cannot read from the terminal: {reason}")));
                }
                Some(Request::Complete { line, pos, reply }) => {
                    // A reader that no longer waits needs no answer.
                    let _ = reply.send(self.complete(&line, pos));
                }
                Some(Request::Incomplete { text, reply }) => {
                    let _ = reply.send(self.is_incomplete(&text));
                }
                None => return Ok(Kind::Cancelled.exit_code()),
            }
        }
    }

    /// Statements from a pipe: the first error ends it.
    async fn follow(&self) -> Result<u8> {
        let mut reader = StatementReader::plain()?;
        let mut text = String::new();
        loop {
            reader.next();
            match self.request(&mut reader).await? {
                Some(Request::Line(line)) => {
                    text.push_str(&line);
                    text.push('\n');
                    if self.is_incomplete(&text) {
                        continue;
                    }
                }
                Some(Request::Failed(reason)) => {
                    return Err(Trouble::new(Kind::Io, format!("cannot read standard input: {reason}")));
                }
                Some(Request::End) if text.trim().is_empty() => return Ok(0),
                Some(Request::End) => {}
                Some(_) => continue,
                None => return Ok(Kind::Cancelled.exit_code()),
            }
            let whole = std::mem::take(&mut text);
            if let Err(trouble) = self.statement(whole.trim_end()).await {
                self.show_trouble(&trouble, &whole);
                return Ok(trouble.kind().exit_code());
            }
        }
    }

    /// The reader's next request; none if the process was asked to end meanwhile.
    async fn request(&self, reader: &mut StatementReader) -> Result<Option<Request>> {
        let idle = Cancel::root(None);
        (self.options.watch)(&idle);
        tokio::select! {
            request = reader.requests.recv() => match request {
                Some(request) => Ok(Some(request)),
                None => Err(Trouble::new(Kind::Internal, "the line reader ended")),
            },
            () = idle.cancelled() => Ok(None),
        }
    }

    fn is_incomplete(&self, text: &str) -> bool {
        matches!(self.host.compile_line(CHUNK, text), Err(Uncompiled::Incomplete(_)))
    }

    fn complete(&self, line: &str, pos: usize) -> (usize, Vec<String>) {
        let known = complete::Known {
            lua: self.host.lua(),
            registry: self.host.registry(),
            environments: &*self.options.environments,
            topics: &|| help::topics(self.host.registry(), self.host.loader()),
            modules: &|| self.host.loader().module_names(),
        };
        complete::complete(&known, line, pos)
    }

    async fn statement(&self, text: &str) -> Result<()> {
        let function = self.host.compile_line(CHUNK, text).map_err(Uncompiled::into_trouble)?;
        let scope = Cancel::root(self.options.timeout);
        (self.options.watch)(&scope);
        let results = self.host.call(&scope, function, MultiValue::new()).await;
        self.options.printer.rest();
        let results = results?;
        if text.starts_with("local ") && !self.told_local.replace(true) {
            self.options.printer.note("a local ends with its statement; without 'local' the name stays");
        }
        if results.len() == 1 && results.front().is_some_and(Value::is_nil) {
            return Ok(());
        }
        results.iter().try_for_each(|result| self.show(result))
    }

    fn show(&self, result: &Value) -> Result<()> {
        let printer = &self.options.printer;
        if printer.json {
            return printer.json(&value::to_json(self.host.lua(), result));
        }
        match result {
            Value::Nil => printer.result("nil"),
            Value::Boolean(yes) => printer.result(if *yes { "true" } else { "false" }),
            Value::Function(function) => match help::path_of(self.host.lua(), self.host.registry(), function)
            {
                Some(path) => printer.result(&format!("function {path}; help({path}) tells more")),
                None => printer.result("function"),
            },
            Value::Error(_) => printer.result(&value::error::from_value(self.host.lua(), result).to_string()),
            other => printer.value(&value::to_json(self.host.lua(), other)),
        }
    }

    fn show_trouble(&self, trouble: &Trouble, text: &str) {
        let loader = self.host.loader();
        self.options.printer.trouble(trouble, &|name| {
            if name == CHUNK { Some(text.to_owned()) } else { loader.text_of(name) }
        });
    }
}

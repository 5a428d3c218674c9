//! Reads lines on a thread of its own, so that a wait for a key never holds up the machine. What the editor must
//! know of the session (completion, whether a statement is whole) it asks for.

use std::borrow::Cow;
use std::io::BufRead as _;
use std::path::PathBuf;
use std::sync::mpsc;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper, Hinter};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::base::{Kind, Result, Trouble};

const PROMPT: &str = "moonstack> ";

/// What comes from the reader.
pub enum Request {
    Line(String),
    /// Ctrl-C at the prompt, with what stood there.
    Cleared,
    End,
    Failed(String),
    /// Tab.
    Complete {
        line: String,
        pos: usize,
        reply: mpsc::Sender<(usize, Vec<String>)>,
    },
    /// Return: may more lines complete it?
    Incomplete {
        text: String,
        reply: mpsc::Sender<bool>,
    },
}

/// The session's end of the two channels.
pub struct StatementReader {
    pub requests: UnboundedReceiver<Request>,
    go: mpsc::Sender<()>,
}

impl StatementReader {
    /// Lets the next line be read.
    pub fn next(&self) {
        // A reader that is gone has said why.
        let _ = self.go.send(());
    }

    /// An editor on the terminal.
    pub fn terminal(history: Option<PathBuf>, colour: bool) -> Result<StatementReader> {
        StatementReader::start(move |requests, go| edit(history.as_ref(), colour, requests, go))
    }

    /// Lines from a pipe or file.
    pub fn plain() -> Result<StatementReader> {
        StatementReader::start(|requests, go| {
            let mut lines = std::io::stdin().lock().lines();
            while go.recv().is_ok() {
                let request = match lines.next() {
                    Some(Ok(line)) => Request::Line(line),
                    Some(Err(e)) => Request::Failed(e.to_string()),
                    None => Request::End,
                };
                if requests.send(request).is_err() {
                    break;
                }
            }
        })
    }

    fn start(
        work: impl FnOnce(&UnboundedSender<Request>, &mpsc::Receiver<()>) + Send + 'static,
    ) -> Result<StatementReader> {
        let (sender, requests) = unbounded_channel();
        let (go, wait) = mpsc::channel();
        std::thread::Builder::new()
            .name(String::from("reader"))
            .spawn(move || work(&sender, &wait))
            .map_err(|e| Trouble::new(Kind::Internal, format!("cannot start a thread: {e}")))?;
        Ok(StatementReader { requests, go })
    }
}

fn edit(
    history: Option<&PathBuf>,
    colour: bool,
    requests: &UnboundedSender<Request>,
    go: &mpsc::Receiver<()>,
) {
    let mut editor = match editor(colour, requests.clone()) {
        Ok(editor) => editor,
        Err(e) => {
            let _ = requests.send(Request::Failed(e.to_string()));
            return;
        }
    };
    if let Some(path) = history {
        // No history yet is how every first session begins.
        let _ = editor.load_history(path);
    }
    while go.recv().is_ok() {
        let request = match editor.readline(PROMPT) {
            Ok(line) => {
                if !line.trim().is_empty()
                    && editor.add_history_entry(line.as_str()).unwrap_or(false)
                    && let Some(path) = history
                {
                    // A session is worth more than its history.
                    let _ = editor.append_history(path);
                }
                Request::Line(line)
            }
            Err(ReadlineError::Interrupted) => Request::Cleared,
            Err(ReadlineError::Eof) => Request::End,
            Err(e) => Request::Failed(e.to_string()),
        };
        if requests.send(request).is_err() {
            break;
        }
    }
}

fn editor(
    colour: bool,
    requests: UnboundedSender<Request>,
) -> rustyline::Result<Editor<Assistant, DefaultHistory>> {
    let config = Config::builder()
        .max_history_size(10_000)?
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .completion_type(CompletionType::List)
        .color_mode(if colour { rustyline::ColorMode::Enabled } else { rustyline::ColorMode::Disabled })
        .build();
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant { requests, colour }));
    Ok(editor)
}

#[derive(Helper, Hinter)]
struct Assistant {
    requests: UnboundedSender<Request>,
    colour: bool,
}

impl Assistant {
    /// Asks the session; a session that is ending gives nothing.
    fn ask<T>(&self, request: impl FnOnce(mpsc::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = mpsc::channel();
        self.requests.send(request(reply)).ok()?;
        answer.recv().ok()
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let line = line.to_owned();
        Ok(self.ask(|reply| Request::Complete { line, pos, reply }).unwrap_or((pos, Vec::new())))
    }
}

impl Validator for Assistant {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        let text = context.input().to_owned();
        Ok(match self.ask(|reply| Request::Incomplete { text, reply }) {
            Some(true) => ValidationResult::Incomplete,
            _ => ValidationResult::Valid(None),
        })
    }
}

impl Highlighter for Assistant {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if self.colour { super::highlight::highlight(line) } else { Cow::Borrowed(line) }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.colour && kind != CmdKind::MoveCursor
    }
}

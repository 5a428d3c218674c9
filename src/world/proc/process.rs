//! Runs a program in a process group of its own: streams its lines, keeps a bounded tail, and on a time limit or a
//! cancel ends it with everything that it has started, also in other groups and sessions. `kill_on_drop` alone leaves
//! grandchildren running, and Spack's builders are grandchildren with sessions of their own.

use crate::world::proc::program::Listener;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::base::{Kind, Result, Trouble};
use crate::world::fs::own_files;
use crate::world::proc::program::{Ended, Gentle, Program, Ran, Stdin};
use crate::world::proc::running::Running;
use crate::world::scope::cancel::Cancel;
use crate::world::scope::event::Stream;

/// How long a pipe may stay open after the program itself has ended, and how long what a failed program has left
/// behind may take to end by itself.
const LINGER: Duration = Duration::from_secs(2);
/// A line longer than this is delivered in pieces.
const LINE_LIMIT: usize = 64 * 1024;

/// Keeps the end of a stream.
struct Keep {
    bytes: Vec<u8>,
    limit: usize,
    cut: bool,
}

impl Keep {
    fn new(limit: usize) -> Self {
        Keep { bytes: Vec::new(), limit, cut: false }
    }

    fn push(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
        if self.bytes.len() > self.limit.saturating_mul(2).max(4096) {
            let from = self.bytes.len() - self.limit;
            self.bytes.drain(..from);
            self.cut = true;
        }
    }

    fn finish(mut self) -> (String, bool) {
        if self.bytes.len() > self.limit {
            let from = self.bytes.len() - self.limit;
            self.bytes.drain(..from);
            self.cut = true;
        }
        (String::from_utf8_lossy(&self.bytes).into_owned(), self.cut)
    }
}

/// Runs it to its end. An exit code other than zero is a result, not an error; errors are: cannot start,
/// cannot begin the log, cancelled.
pub async fn run(program: Program) -> Result<Ran> {
    let scope = Cancel::current().unwrap_or_default();
    if scope.is_cancelled() {
        return Err(Trouble::cancelled());
    }
    let begin = Instant::now();
    let mut log = program.log.as_deref().map(open_log).transpose()?;
    let (mut child, mut running) = spawn(&program)?;
    let _hold = scope.hold();
    let _stdin = feed(&mut child, &program.stdin);

    let (sender, mut pieces) = mpsc::channel::<(Stream, Vec<u8>)>(64);
    if let Some(out) = child.stdout.take() {
        tokio::spawn(pump(out, Stream::Stdout, sender.clone()));
    }
    if let Some(err) = child.stderr.take() {
        tokio::spawn(pump(err, Stream::Stderr, sender.clone()));
    }
    drop(sender);

    let mut unlogged = None;
    let mut streams = Streams::new(&program);
    let mut ending = Ending::new(&program, begin);
    let mut status = None;
    let mut open = true;
    let mut linger_until = None;
    while open || status.is_none() {
        tokio::select! {
            biased;
            piece = pieces.recv(), if open => match piece {
                Some((stream, bytes)) => {
                    ending.heard();
                    // A log that cannot be written does not end what the program is in the middle of.
                    if let Some(Err(error)) = log.as_mut().map(|log| log.write_all(&bytes)) {
                        unlogged = Some(log_trouble(&program, error).message().to_owned());
                        log = None;
                    }
                    streams.take(stream, &bytes);
                }
                None => open = false,
            },
            done = child.wait(), if status.is_none() => {
                status = Some(done.map_err(|e| Trouble::new(Kind::Io, format!("cannot wait for {}: {e}", name(&program))))?);
                linger_until = Some(Instant::now() + LINGER);
                if ending.why.is_some() {
                    // Nobody is left who could end them in an order of his own.
                    running.signal_all(Signal::SIGTERM);
                }
            }
            () = scope.cancelled(), if ending.why.is_none() => ending.begin(Why::Cancelled, &running, program.gentle),
            () = sleep_until(ending.next()) => ending.step(&mut running, program.gentle),
            () = sleep_until(linger_until) => {
                // Somebody in the group keeps our pipe although the program is gone.
                running.signal(Signal::SIGKILL);
                open = false;
                linger_until = None;
            }
        }
    }
    match ending.why {
        Some(_) => running.end(ending.rest()).await,
        None if status.is_some_and(|status| status.success()) => running.ended_well(),
        None => running.end(LINGER).await,
    }
    if matches!(ending.why, Some(Why::Cancelled)) {
        return Err(Trouble::cancelled());
    }
    Ok(Ran { unlogged, ..streams.finish(status, begin, ending.why) })
}

fn name(program: &Program) -> &str {
    program.argv.first().map_or("", String::as_str)
}

fn log_trouble(program: &Program, error: std::io::Error) -> Trouble {
    Trouble::io("write", program.log.as_deref().unwrap_or(Path::new("log")), error)
}

fn open_log(path: &Path) -> Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if own_files::is_ours(path) {
        return own_files::open(path, own_files::Open::Append);
    }
    std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(crate::world::fs::access::log_mode())
        .open(path)
        .map_err(|e| Trouble::io("write", path, e))
}

fn spawn(program: &Program) -> Result<(Child, Running)> {
    let Some((executable, args)) = program.argv.split_first() else {
        return Err(Trouble::usage("the argument list of a program is empty")
            .hint("give at least the program: process.run({ \"ls\", \"-l\" })"));
    };
    if let Some(bad) = program.argv.iter().find(|a| a.contains('\0')) {
        return Err(Trouble::usage(format!("an argument contains a zero byte: {bad:?}")));
    }
    let mut command = Command::new(executable);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(if program.stdin == Stdin::Null { Stdio::null() } else { Stdio::piped() });
    if program.clear_env {
        command.env_clear();
    }
    for (key, value) in &program.env {
        if key.is_empty() || key.contains(['=', '\0']) || value.contains('\0') {
            return Err(Trouble::usage(format!("'{key}' is not a name or value of an environment variable")));
        }
        command.env(key, value);
    }
    if let Some(cwd) = &program.cwd {
        if !cwd.is_dir() {
            return Err(Trouble::new(Kind::NotFound, format!("there is no folder {}", cwd.display())));
        }
        command.current_dir(cwd);
    }
    Running::spawn(&mut command).map_err(|e| {
        let kind = match e.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            std::io::ErrorKind::PermissionDenied => Kind::Permission,
            _ => Kind::Program,
        };
        let trouble = Trouble::new(kind, format!("cannot start '{executable}': {e}"))
            .fact("program", executable.as_str());
        if kind == Kind::NotFound { trouble.hint("is it on PATH?") } else { trouble }
    })
}

/// Writes what the program reads. The pipe that is returned stays open as long as it is kept.
fn feed(child: &mut Child, stdin: &Stdin) -> Option<tokio::process::ChildStdin> {
    let mut pipe = child.stdin.take()?;
    match stdin {
        Stdin::Open => Some(pipe),
        Stdin::Null => None,
        Stdin::Text(text) => {
            let text = text.clone();
            // A program that does not read to the end is not an error.
            tokio::spawn(async move {
                let _ = pipe.write_all(text.as_bytes()).await;
            });
            None
        }
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, stream: Stream, to: mpsc::Sender<(Stream, Vec<u8>)>) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(n) = from.read(&mut buffer).await {
        if n == 0 || to.send((stream, buffer[..n].to_vec())).await.is_err() {
            return;
        }
    }
}

async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when.into()).await,
        None => std::future::pending().await,
    }
}

/// Both streams: their kept ends, and lines for whoever listens.
struct Streams {
    stdout: Keep,
    stderr: Keep,
    partial: [Vec<u8>; 2],
    listener: Option<Listener>,
}

impl Streams {
    fn new(program: &Program) -> Self {
        Streams {
            stdout: Keep::new(program.tail.0),
            stderr: Keep::new(program.tail.0),
            partial: [Vec::new(), Vec::new()],
            listener: program.listener.clone(),
        }
    }

    fn take(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.push(bytes),
            Stream::Stderr => self.stderr.push(bytes),
        }
        let Some(listener) = &self.listener else { return };
        let partial = &mut self.partial[usize::from(stream == Stream::Stderr)];
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || partial.len() > LINE_LIMIT {
                (listener.0)(stream, String::from_utf8_lossy(partial).trim_end_matches(['\n', '\r']));
                partial.clear();
            }
        }
    }

    fn finish(mut self, status: Option<std::process::ExitStatus>, begin: Instant, why: Option<Why>) -> Ran {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(listener) = &self.listener {
            for (stream, rest) in [Stream::Stdout, Stream::Stderr].into_iter().zip(&mut self.partial) {
                if !rest.is_empty() {
                    (listener.0)(stream, &String::from_utf8_lossy(rest));
                }
            }
        }
        let (stdout, cut_out) = self.stdout.finish();
        let (stderr, cut_err) = self.stderr.finish();
        Ran {
            code: status.and_then(|s| s.code()),
            signal: status.and_then(|s| s.signal()),
            stdout,
            stderr,
            truncated: cut_out || cut_err,
            seconds: begin.elapsed().as_secs_f64(),
            ended: match why {
                Some(Why::Timeout) => Some(Ended::Timeout),
                Some(Why::Silence) => Some(Ended::Silence),
                _ => None,
            },
            unlogged: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Cancelled,
    Timeout,
    Silence,
}

/// When and how the group is ended from outside.
struct Ending {
    hard: Option<Instant>,
    silence: Option<Duration>,
    heard: Instant,
    why: Option<Why>,
    kill_at: Option<Instant>,
    grace: Duration,
}

impl Ending {
    fn new(program: &Program, begin: Instant) -> Self {
        Ending {
            hard: program.timeout.and_then(|t| begin.checked_add(t)),
            silence: program.silence,
            heard: begin,
            why: None,
            kill_at: None,
            grace: program.grace.0,
        }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
    }

    fn quiet_at(&self) -> Option<Instant> {
        self.silence.and_then(|s| self.heard.checked_add(s))
    }

    /// When `step` has something to do next.
    fn next(&self) -> Option<Instant> {
        if self.why.is_some() {
            return self.kill_at;
        }
        match (self.hard, self.quiet_at()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// What is left of the time in which it may end by itself.
    fn rest(&self) -> Duration {
        self.kill_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(Instant::now()))
    }

    fn step(&mut self, running: &mut Running, gentle: Gentle) {
        if self.why.is_some() {
            running.signal_all(Signal::SIGKILL);
            self.kill_at = None;
        } else if self.hard.is_some_and(|t| t <= Instant::now()) {
            self.begin(Why::Timeout, running, gentle);
        } else if self.quiet_at().is_some_and(|t| t <= Instant::now()) {
            self.begin(Why::Silence, running, gentle);
        }
    }

    fn begin(&mut self, why: Why, running: &Running, gentle: Gentle) {
        self.why = Some(why);
        self.kill_at = Instant::now().checked_add(self.grace);
        running.signal(match gentle {
            Gentle::Terminate => Signal::SIGTERM,
            Gentle::Interrupt => Signal::SIGINT,
        });
    }
}

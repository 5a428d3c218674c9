//! Delivers a notice outside: over HTTP, by mail, or to a program. It tries again by itself for a bounded time, and
//! a delivery that fails is an outcome with a warning: whoever tells of a run must not fail it. The wording is not
//! made here.
//!
//! ```text
//! { mail, post, program } → message
//! ```

mod mail;
pub mod message;
mod post;
mod program;

use crate::world::net::deliver::message::{Envelope, Failure, Notice, Smtp, Told, Web};
use std::fmt;
use std::time::{Duration, Instant};

use crate::base::redact::{self};
use crate::base::{Result, words};
use crate::world::scope::cancel::Cancel;
use crate::world::scope::event::Watcher;

pub use mail::address;

/// Attempts after which it is given up.
pub const ATTEMPTS: u32 = 3;
/// How long one attempt may take.
pub const TIMEOUT: Duration = Duration::from_secs(8);
/// How long all attempts and the pauses between them may take.
const TOTAL: Duration = Duration::from_secs(30);
/// The first pause; each further one is three times as long.
const PAUSE: Duration = Duration::from_secs(1);
/// Why it was given up when the script was.
const CANCELLED: &str = "cancelled";

/// Where to, and how much patience to have.
#[derive(Debug, Clone)]
pub struct Target {
    pub receiver: Receiver,
    pub attempts: u32,
    /// For one attempt.
    pub timeout: Duration,
}

/// Who is told.
#[derive(Debug, Clone)]
pub enum Receiver {
    Web(Web),
    Smtp(Smtp),
    /// A program that takes a mail on its standard input, such as sendmail.
    Sendmail {
        argv: Vec<String>,
        envelope: Envelope,
    },
    /// A program that takes the body on its standard input.
    Program {
        argv: Vec<String>,
    },
}

impl Receiver {
    /// Refuses what cannot be meant: no URL, no address of a mail, no program.
    pub fn check(&self) -> Result<()> {
        match self {
            Receiver::Web(web) => post::parse(&web.url).map(drop),
            Receiver::Smtp(smtp) => mail::check(smtp),
            Receiver::Sendmail { argv, envelope } => program::check(argv).and_then(|()| envelope.check()),
            Receiver::Program { argv } => program::check(argv),
        }
    }
}

/// Without secrets: of a web address the server only, since its path is the secret.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.receiver {
            Receiver::Web(web) => write!(f, "webhook {}", post::shown(&web.url)),
            Receiver::Smtp(smtp) => {
                write!(f, "mail by {}:{} to {}", smtp.server, mail::port(smtp), smtp.envelope.to.join(", "))
            }
            Receiver::Sendmail { argv, envelope } => {
                write!(f, "mail by {} to {}", argv.first().map_or("", String::as_str), envelope.to.join(", "))
            }
            Receiver::Program { argv } => write!(f, "program {}", redact::argv(argv).join(" ")),
        }
    }
}

/// What one attempt needs, made once: a mail keeps its number, so that who gets it twice can tell.
enum Ready {
    Web(post::Ready),
    Smtp(Box<mail::Ready>),
    Program { argv: Vec<String>, stdin: String },
}

impl Ready {
    fn new(notice: Notice, receiver: Receiver) -> Result<Ready, Failure> {
        Ok(match receiver {
            Receiver::Web(web) => Ready::Web(post::Ready::new(&web, notice.body)?),
            Receiver::Smtp(smtp) => Ready::Smtp(Box::new(mail::Ready::new(&smtp, &notice)?)),
            Receiver::Sendmail { argv, envelope } => {
                Ready::Program { argv, stdin: mail::text(&envelope, &notice)? }
            }
            Receiver::Program { argv } => Ready::Program { argv, stdin: notice.body },
        })
    }

    async fn attempt(&self, scope: &Cancel, limit: Duration) -> Result<(), Failure> {
        match self {
            Ready::Web(ready) => bounded(scope, limit, ready.send()).await,
            Ready::Smtp(ready) => bounded(scope, limit, ready.send()).await,
            // A program is ended in order, with all that it started.
            Ready::Program { argv, stdin } => program::feed(argv, stdin, limit).await,
        }
    }
}

async fn bounded(
    scope: &Cancel,
    limit: Duration,
    work: impl Future<Output = Result<(), Failure>>,
) -> Result<(), Failure> {
    tokio::select! {
        biased;
        () = scope.cancelled() => Err(Failure::for_good(CANCELLED)),
        done = tokio::time::timeout(limit, work) => {
            done.unwrap_or_else(|_| Err(Failure::for_now(format!("no answer within {}", words::span(limit)))))
        }
    }
}

/// Delivers, or says why not. Never fails.
pub async fn deliver(watcher: &dyn Watcher, notice: Notice, target: Target) -> Told {
    let begin = Instant::now();
    // The outcome gets into the journal also when the script is cancelled meanwhile.
    let scope = Cancel::current().unwrap_or_default();
    let _hold = scope.hold();
    let name = target.to_string();
    let (attempts, timeout) = (target.attempts.max(1), target.timeout);
    let told = |attempts, failure: Option<Failure>| Told {
        delivered: failure.is_none(),
        attempts,
        error: failure.map(|f| f.text),
        seconds: begin.elapsed().as_secs_f64(),
    };
    let ready = match Ready::new(notice, target.receiver) {
        Ok(ready) => ready,
        Err(failure) => return give_up(watcher, &name, told(0, Some(failure))),
    };
    let end = begin + TOTAL.max(timeout);
    let mut pause = PAUSE;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let limit = timeout.min(end.saturating_duration_since(Instant::now()));
        let Err(mut failure) = ready.attempt(&scope, limit).await else { return told(attempt, None) };
        let wait = failure.after.unwrap_or_default().max(pause);
        let too_long = Instant::now() + wait >= end;
        if let Some(after) = failure.after.filter(|_| too_long) {
            failure.text.push_str(&format!("; asks to wait {}", words::span(after)));
        }
        if !failure.again || attempt >= attempts || too_long {
            return give_up(watcher, &name, told(attempt, Some(failure)));
        }
        let text = format!(
            "{name}: attempt {attempt} of {attempts} failed, again in {}: {}",
            words::span(wait),
            failure.text
        );
        watcher.say(text);
        if tokio::time::timeout(wait, scope.cancelled()).await.is_ok() {
            return give_up(watcher, &name, told(attempt, Some(Failure::for_good(CANCELLED))));
        }
        pause *= 3;
    }
}

fn give_up(watcher: &dyn Watcher, name: &str, told: Told) -> Told {
    watcher.warn(format!("{name}: {told}"));
    told
}

//! What is to be told, in the shape that a way of telling needs, and how a delivery went.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::redact::Secret;
use crate::base::words;

/// Why an attempt failed, and whether another may help.
pub(in crate::world) struct Failure {
    pub text: String,
    pub again: bool,
    /// The receiver named a time to wait.
    pub after: Option<Duration>,
}

impl Failure {
    pub fn for_good(text: impl Into<String>) -> Self {
        Failure { text: text.into(), again: false, after: None }
    }

    pub fn for_now(text: impl Into<String>) -> Self {
        Failure { text: text.into(), again: true, after: None }
    }
}

/// How a delivery went.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub delivered: bool,
    pub attempts: u32,
    pub error: Option<String>,
    pub seconds: f64,
}

/// The journal's words.
impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.error, self.attempts) {
            (Some(error), n) => write!(f, "not delivered ({}): {error}", words::count(n as usize, "attempt")),
            (None, 0 | 1) => f.write_str("delivered"),
            (None, n) => write!(f, "delivered at attempt {n}"),
        }
    }
}

/// What is told, in the form that the receiver takes.
#[derive(Debug, Clone, Default)]
pub struct Notice {
    /// One line: the subject of a mail, and what the journal shows.
    pub title: String,
    /// JSON for a server or a program, text for a mail.
    pub body: String,
    /// Somebody should look at it now.
    pub urgent: bool,
}

/// Who writes to whom.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    pub from: String,
    pub to: Vec<String>,
}

/// A mail server.
#[derive(Debug, Clone)]
pub struct Smtp {
    pub server: String,
    pub port: Option<u16>,
    pub tls: Tls,
    /// Trust the certificates of this file instead of the system's.
    pub ca: Option<PathBuf>,
    /// User and password.
    pub login: Option<(String, Secret)>,
    pub envelope: Envelope,
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tls {
    /// Begin in the clear and go on only when encryption was agreed on.
    #[default]
    StartTls,
    /// Encrypted from the first byte.
    Implicit,
    None,
}

/// A server that takes JSON. The address is itself the secret.
#[derive(Debug, Clone)]
pub struct Web {
    pub url: Secret,
    /// Trust the certificates of this file instead of the system's.
    pub ca: Option<PathBuf>,
}

//! What is told, before it has the form that a receiver takes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::base::{Result, Trouble, redact};
use crate::site::Cx;

/// The longest title: it is the subject of a mail.
const TITLE: usize = 200;
/// The longest text.
const TEXT: usize = 60_000;

/// How it stands with what is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Ok,
    Warning,
    Failed,
    Unknown,
    Recovered,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Failed => "failed",
            Status::Unknown => "unknown",
            Status::Recovered => "recovered",
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// One line.
    pub title: String,
    pub text: String,
    pub status: Status,
    /// Data that belongs to it, shown as `name: value`.
    pub facts: Map<String, Value>,
    /// The run that tells.
    pub run: Option<i64>,
    /// It comes from a practice site.
    pub practice: bool,
    pub host: String,
    pub link: Option<String>,
    /// Somebody should look at it now.
    pub urgent: bool,
    /// When, as RFC 3339.
    pub time: String,
}

impl Message {
    /// A message of this run, now. The title becomes one line; what looks like a secret goes from both texts.
    pub fn new(cx: &Cx, title: &str, text: &str) -> Message {
        let words: Vec<&str> =
            title.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
        Message {
            title: clip(&redact::redact(&words.join(" ")), TITLE),
            text: clip(redact::redact(text).trim_end(), TEXT),
            status: Status::Ok,
            facts: Map::new(),
            run: cx.site.journal.number(),
            practice: cx.site.practice.is_some(),
            host: host(),
            link: None,
            urgent: false,
            time: cx.world.clock.now().to_string(),
        }
    }

    /// The page that tells more.
    pub fn linked(mut self, link: Option<String>) -> Result<Message> {
        let good = |l: &String| {
            let web = l.starts_with("https://") || l.starts_with("http://");
            web && !l.contains(|c: char| c.is_whitespace() || c.is_control())
        };
        if link.as_ref().is_some_and(|l| !good(l)) {
            return Err(Trouble::usage("'link' must be an address that begins with https:// or http://"));
        }
        self.link = link;
        Ok(self)
    }

    /// Names and values of the facts as texts.
    pub fn lines(&self) -> impl Iterator<Item = (&str, String)> {
        self.facts.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.as_str(), redact::redact(&value))
        })
    }

    /// Where it comes from.
    pub fn origin(&self) -> String {
        let practice = if self.practice { " (a practice site)" } else { "" };
        match self.run {
            Some(run) => format!("moonstack on {}{practice}, run {run}", self.host),
            None => format!("moonstack on {}{practice}", self.host),
        }
    }

    /// The subject of a mail.
    pub fn subject(&self) -> String {
        let practice = if self.practice { " practice" } else { "" };
        format!("[moonstack{practice}] {}: {}", self.host, self.title)
    }

    /// The text of a mail.
    pub fn letter(&self) -> String {
        let mut out = format!("{}\n", self.title);
        if !self.text.is_empty() {
            out.push_str(&format!("\n{}\n", self.text));
        }
        out.push_str(&format!("\nstatus: {}\n", self.status.name()));
        for (name, value) in self.lines() {
            out.push_str(&format!("{name}: {value}\n"));
        }
        if let Some(link) = &self.link {
            out.push_str(&format!("\n{link}\n"));
        }
        out.push_str(&format!("\n-- \n{}, {}\n", self.origin(), self.time));
        out
    }

    /// The plain form, for servers and programs of one's own.
    pub fn json(&self) -> Value {
        json!({
            "title": self.title,
            "text": self.text,
            "status": self.status.name(),
            "urgent": self.urgent,
            "facts": clean(&Value::Object(self.facts.clone())),
            "run": self.run,
            "host": self.host,
            "link": self.link,
            "practice": self.practice,
            "time": self.time,
        })
    }
}

/// The value with what looks like a secret gone from its texts, however deep they are.
fn clean(value: &Value) -> Value {
    match value {
        Value::String(text) => redact::redact(text).into(),
        Value::Array(list) => list.iter().map(clean).collect(),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), clean(value))).collect(),
        other => other.clone(),
    }
}

/// This machine's name.
pub fn host() -> String {
    nix::unistd::gethostname()
        .map_or_else(|_| String::from("localhost"), |h| h.to_string_lossy().into_owned())
}

/// At most so many characters; the last says that there was more.
pub fn clip(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

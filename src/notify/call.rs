//! The primitives: their arguments, and what each makes of them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::message::{Message, Status};
use super::route::{Delivery, Route, Server, Way};
use crate::base::argument::{Plain, Span};
use crate::base::{Result, Trouble};
use crate::site::Cx;
use crate::site::channels::{OneOrMany, Shape, TlsMode};
use crate::site::secrets::Given;

/// What every kind of message has.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Words {
    /// What it is about, in one line.
    title: String,
    /// The rest, of any length.
    #[serde(default)]
    text: String,
    /// `"ok"` (the default), `"warning"`, `"failed"`, `"unknown"`, `"recovered"`.
    #[serde(default)]
    status: Status,
    /// Data that belongs to it: a table with names.
    #[serde(default)]
    facts: Plain,
    /// A page that tells more.
    link: Option<String>,
    /// Somebody should look at it now: a mail says so in its head, and so does plain JSON.
    #[serde(default)]
    urgent: bool,
    /// How long one attempt may take; `"8s"` by default.
    timeout: Option<Span>,
    /// How often it is tried, with growing pauses, for 30 seconds in all; 3 by default.
    attempts: Option<u32>,
}

impl Words {
    fn message(&self, cx: &Cx) -> Result<Message> {
        let facts = match &self.facts.0 {
            Value::Object(facts) => facts.clone(),
            Value::Null => Map::new(),
            // An empty table in Lua is a list as much as anything.
            Value::Array(list) if list.is_empty() => Map::new(),
            _ => return Err(Trouble::usage("'facts' must be a table with names")),
        };
        let message = Message::new(cx, &self.title, &self.text).linked(self.link.clone())?;
        if message.title.is_empty() {
            return Err(Trouble::usage("'title' is empty").hint("a title says in one line what it is about"));
        }
        if self.attempts.is_some_and(|n| !(1..=10).contains(&n)) {
            return Err(Trouble::usage("'attempts' must be between 1 and 10"));
        }
        Ok(Message { facts, status: self.status, urgent: self.urgent, ..message })
    }

    async fn send(&self, cx: &Cx, name: Option<String>, way: Way) -> Result<Delivery> {
        let route = Route { name, way, timeout: self.timeout.map(|s| s.0), attempts: self.attempts };
        route.send(cx, &self.message(cx)?).await
    }

    /// By a channel; what the call says goes before what the channel says.
    async fn send_by(&self, cx: &Cx, mut route: Route) -> Result<Delivery> {
        route.timeout = self.timeout.map(|s| s.0).or(route.timeout);
        route.attempts = self.attempts.or(route.attempts);
        route.send(cx, &self.message(cx)?).await
    }
}

/// Tells a chat server or another one that takes JSON by POST. That nobody answers is a warning and in the result,
/// never an error: no run fails because it could not be told of.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WebhookArgs {
    /// The address, the place that holds it, or the name of a channel of kind `webhook`. The address is a secret.
    url: Given,
    /// What the server expects: `"slack"`, `"mattermost"`, `"teams"` (a webhook of a workflow) or `"json"`.
    shape: Option<Shape>,
    /// Trust the certificates of this file instead of the system's.
    ca: Option<PathBuf>,
    #[serde(flatten)]
    words: Words,
}

pub async fn webhook(cx: Cx, args: WebhookArgs) -> Result<Delivery> {
    // A name has no slash; an address without its scheme must not be repeated as an unknown name.
    if let Given::Text(text) = &args.url
        && !text.expose().contains(['/', ':'])
    {
        let mut route = Route::named(&cx, text.expose())?;
        let Way::Webhook { shape, ca, .. } = &mut route.way else {
            return Err(Trouble::usage(format!("the channel '{}' is no webhook", text.expose()))
                .hint("notify.send tells a channel of any kind"));
        };
        *shape = args.shape.unwrap_or(*shape);
        *ca = args.ca.or_else(|| ca.take());
        return args.words.send_by(&cx, route).await;
    }
    let way = Way::Webhook { url: args.url, shape: args.shape.unwrap_or_default(), ca: args.ca };
    args.words.send(&cx, None, way).await
}

/// Sends a mail by a mail server, or by the sendmail of this machine. That it cannot be sent is a warning and in
/// the result, never an error.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct MailArgs {
    /// Who gets it: `"user@server"`, `"Name <user@server>"`, or a list of such.
    to: OneOrMany,
    /// Who sends it; moonstack on this machine by default.
    from: Option<String>,
    /// The mail server; left out, the mail goes to sendmail.
    server: Option<String>,
    /// Its port; the usual one for `tls` by default.
    port: Option<u16>,
    /// `"starttls"` (the default: encryption is demanded), `"tls"` from the first byte, or `"none"`.
    tls: Option<TlsMode>,
    /// Trust the certificates of this file instead of the system's.
    ca: Option<PathBuf>,
    /// Who logs in to the server.
    user: Option<String>,
    /// With which password: a text, or the place that holds it.
    password: Option<Given>,
    /// The program that takes the mail in place of a server; `{ "/usr/sbin/sendmail", "-t", "-i" }` by default.
    sendmail: Option<Vec<String>>,
    #[serde(flatten)]
    words: Words,
}

pub async fn mail(cx: Cx, args: MailArgs) -> Result<Delivery> {
    let (to, from) = (args.to.list(), args.from);
    let Some(name) = args.server else {
        if args.port.is_some() || args.tls.is_some() || args.ca.is_some() || args.user.is_some() {
            return Err(Trouble::usage("'port', 'tls', 'ca' and 'user' mean nothing without 'server'"));
        }
        return args.words.send(&cx, None, Way::Sendmail { argv: args.sendmail, from, to }).await;
    };
    if args.sendmail.is_some() {
        return Err(Trouble::usage("'server' and 'sendmail' are two ways to send one mail"));
    }
    if args.user.is_some() != args.password.is_some() {
        return Err(Trouble::usage("'user' and 'password' are needed together"));
    }
    let tls = args.tls.unwrap_or_default().into();
    let server = Server { name, port: args.port, tls, ca: args.ca, user: args.user, password: args.password };
    args.words.send(&cx, None, Way::Smtp { server, from, to }).await
}

/// Runs a program that tells somebody; it reads the message as one line of JSON: title, text, status, urgent, facts,
/// run, host, link, time. Exit code 75 asks for another attempt. That it fails is a warning and in the result, never
/// an error.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ExecArgs {
    /// The program and its arguments, each as it is: nothing is expanded.
    argv: Vec<String>,
    #[serde(flatten)]
    words: Words,
}

pub async fn exec(cx: Cx, args: ExecArgs) -> Result<Delivery> {
    args.words.send(&cx, None, Way::Exec { argv: args.argv }).await
}

/// Tells a channel of the site file, `[notify.NAME]`. That nobody can be told is a warning and in the result, never
/// an error.
///
/// A channel has a `kind`: `"webhook"` with `url`, `shape` and `ca`; `"mail"` with `to`, `from`, and either `server`,
/// `port`, `tls`, `ca`, `user` and `password`, or the `argv` of a program like sendmail; `"exec"` with `argv`. Each may
/// have a `timeout` for one attempt. `on` says at the end of which runs it is told: `"change"` (the default: when a
/// workflow begins to fail, and when it recovers), `"failure"`, `"always"`. `url` and `password` name a place:
/// `{ env = "VARIABLE" }`, `{ file = "/path" }` that others may not read, or `{ command = ["program"] }`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SendArgs {
    /// The channel's name.
    channel: String,
    #[serde(flatten)]
    words: Words,
}

pub async fn send(cx: Cx, args: SendArgs) -> Result<Delivery> {
    let route = Route::named(&cx, &args.channel)?;
    args.words.send_by(&cx, route).await
}

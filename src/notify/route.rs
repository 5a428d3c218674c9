//! From a channel to a delivery: its secrets are fetched, the message gets its form, and the world delivers it.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::message::{self, Message};
use super::shapes;
use crate::base::{Kind, Result, Trouble, words};
use crate::site::Cx;
use crate::site::channels::{ChannelConfig, ChannelKind, OneOrMany, Shape};
use crate::site::secrets::Given;
use crate::world::Action;
use crate::world::net::deliver::message::{Envelope, Notice, Smtp, Tls, Web};
use crate::world::net::deliver::{self, Receiver, Target};

/// What sends a mail where no server is named: recipients are read from the mail, a lone dot ends nothing.
const SENDMAIL: [&str; 3] = ["/usr/sbin/sendmail", "-t", "-i"];

/// How a delivery went.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Delivery {
    /// The channel's name, or who was told, without secrets.
    pub channel: String,
    /// The receiver took it.
    pub delivered: bool,
    /// How often it was tried; 0 when a secret could not be had.
    pub attempts: u32,
    /// Why it was not delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, pauses included.
    pub seconds: f64,
}

/// A way to somebody.
#[derive(Debug, Clone)]
pub struct Route {
    /// The channel's name.
    pub name: Option<String>,
    pub way: Way,
    /// The time of one attempt.
    pub timeout: Option<Duration>,
    pub attempts: Option<u32>,
}

#[derive(Debug, Clone)]
pub enum Way {
    Webhook { url: Given, shape: Shape, ca: Option<PathBuf> },
    Smtp { server: Server, from: Option<String>, to: Vec<String> },
    Sendmail { argv: Option<Vec<String>>, from: Option<String>, to: Vec<String> },
    Exec { argv: Vec<String> },
}

/// A mail server, its password not yet fetched.
#[derive(Debug, Clone)]
pub struct Server {
    pub name: String,
    pub port: Option<u16>,
    pub tls: Tls,
    pub ca: Option<PathBuf>,
    pub user: Option<String>,
    pub password: Option<Given>,
}

impl Route {
    /// The channel of that name.
    pub fn named(cx: &Cx, name: &str) -> Result<Route> {
        let channels = &cx.site.loaded.config.notify;
        let channel = channels.get(name).ok_or_else(|| {
            Trouble::unknown("channel", name, channels.keys().map(String::as_str))
                .hint("a channel is a table [notify.NAME] in the site file")
        })?;
        Route::of(name, channel)
    }

    /// A channel of the site file, which was checked when it was read.
    pub fn of(name: &str, channel: &ChannelConfig) -> Result<Route> {
        let missing = || Trouble::new(Kind::Configuration, format!("notify.{name} is not complete"));
        let place = |secret: &Option<_>| secret.clone().map(Given::Place);
        let to = channel.to.as_ref().map(OneOrMany::list).unwrap_or_default();
        let from = channel.from.clone();
        let way = match (channel.kind, &channel.server) {
            (ChannelKind::Webhook, _) => Way::Webhook {
                url: place(&channel.url).ok_or_else(missing)?,
                shape: channel.shape.unwrap_or_default(),
                ca: channel.ca.clone(),
            },
            (ChannelKind::Exec, _) => Way::Exec { argv: channel.argv.clone().ok_or_else(missing)? },
            (ChannelKind::Mail, None) => Way::Sendmail { argv: channel.argv.clone(), from, to },
            (ChannelKind::Mail, Some(server)) => {
                let server = Server {
                    name: server.clone(),
                    port: channel.port,
                    tls: channel.tls.unwrap_or_default().into(),
                    ca: channel.ca.clone(),
                    user: channel.user.clone(),
                    password: place(&channel.password),
                };
                Way::Smtp { server, from, to }
            }
        };
        let timeout = channel.timeout.as_deref().map(words::parse_span).transpose()?;
        Ok(Route { name: Some(name.to_owned()), way, timeout, attempts: None })
    }

    /// Tells. What a script said wrongly is an error; everything else that goes wrong is in the result, and a
    /// warning.
    pub async fn send(&self, cx: &Cx, message: &Message) -> Result<Delivery> {
        let target = match self.receiver(cx).await {
            Ok(receiver) => Target {
                receiver,
                attempts: self.attempts.unwrap_or(deliver::ATTEMPTS),
                timeout: self.timeout.unwrap_or(deliver::TIMEOUT),
            },
            Err(trouble) => return Ok(self.not_tried(cx, &trouble)),
        };
        if let Err(trouble) = target.receiver.check() {
            // An address that a script wrote is its mistake; one that came from elsewhere fails the delivery.
            let foreign = matches!(&self.way, Way::Webhook { url: Given::Place(_), .. });
            return if foreign || self.name.is_some() {
                Ok(self.not_tried(cx, &trouble))
            } else {
                Err(trouble)
            };
        }
        let channel = self.name.clone().unwrap_or_else(|| target.to_string());
        let notice = self.notice(message);
        let told = cx.world.perform(Action::Notify { message: notice, target }).await?.told();
        Ok(Delivery {
            channel,
            delivered: told.delivered,
            attempts: told.attempts,
            error: told.error,
            seconds: told.seconds,
        })
    }

    fn not_tried(&self, cx: &Cx, trouble: &Trouble) -> Delivery {
        let channel = self.name.as_deref().unwrap_or(match self.way {
            Way::Webhook { .. } => "webhook",
            Way::Smtp { .. } | Way::Sendmail { .. } => "mail",
            Way::Exec { .. } => "program",
        });
        cx.world.warn(format!("{channel}: not delivered: {trouble}"));
        Delivery {
            channel: channel.to_owned(),
            delivered: false,
            attempts: 0,
            error: Some(trouble.message().to_owned()),
            seconds: 0.0,
        }
    }

    /// The form that the receiver takes.
    fn notice(&self, message: &Message) -> Notice {
        let urgent = message.urgent;
        match &self.way {
            Way::Smtp { .. } | Way::Sendmail { .. } => {
                Notice { title: message.subject(), body: message.letter(), urgent }
            }
            Way::Webhook { shape, .. } => {
                let body = shapes::body(*shape, message).to_string();
                Notice { title: message.title.clone(), body, urgent }
            }
            Way::Exec { .. } => {
                let body = format!("{}\n", message.json());
                Notice { title: message.title.clone(), body, urgent }
            }
        }
    }

    async fn receiver(&self, cx: &Cx) -> Result<Receiver> {
        Ok(match &self.way {
            Way::Webhook { url, ca, .. } => {
                Receiver::Web(Web { url: url.resolve(cx).await?, ca: ca.clone() })
            }
            Way::Smtp { server, from, to } => {
                let login = match (&server.user, &server.password) {
                    (Some(user), Some(password)) => Some((user.clone(), password.resolve(cx).await?)),
                    _ => None,
                };
                Receiver::Smtp(Smtp {
                    server: server.name.clone(),
                    port: server.port,
                    tls: server.tls,
                    ca: server.ca.clone(),
                    login,
                    envelope: envelope(from.as_ref(), to),
                })
            }
            Way::Sendmail { argv, from, to } => Receiver::Sendmail {
                argv: argv.clone().unwrap_or_else(|| SENDMAIL.map(String::from).to_vec()),
                envelope: envelope(from.as_ref(), to),
            },
            Way::Exec { argv } => Receiver::Program { argv: argv.clone() },
        })
    }
}

/// Without a sender, this program on this machine.
fn envelope(from: Option<&String>, to: &[String]) -> Envelope {
    // Not every name of a host is one that mail knows.
    let own = || {
        let own = format!("moonstack@{}", message::host());
        if deliver::address(&own).is_ok() { own } else { String::from("moonstack@localhost") }
    };
    let from = from.cloned().unwrap_or_else(own);
    Envelope { from, to: to.to_vec() }
}

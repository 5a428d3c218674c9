//! `[notify.NAME]` of the site file: whom to tell, how, and when. What does not belong together is refused when the
//! file is read, not when a run has failed at night.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secrets::SecretRef;
use crate::base::{Result, Trouble, words};
use crate::world::net::deliver;

/// One channel.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelConfig {
    pub kind: ChannelKind,
    /// When it is told of the end of a run.
    #[serde(default)]
    pub on: On,
    /// The time of one attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// What the server of a webhook expects; plain JSON by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shape: Option<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<OneOrMany>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The mail server; without one the program in `argv` sends the mail, sendmail by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsMode>,
    /// Trust the certificates of this file instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretRef>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    Webhook,
    Mail,
    Exec,
}

/// At the end of which runs a channel is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    /// When it begins to fail, when it fails in another way, when it recovers.
    #[default]
    Change,
    /// At every run.
    Always,
    /// At every run that did not go well.
    Failure,
}

/// The JSON that a server of webhooks expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    Slack,
    Mattermost,
    Teams,
    #[default]
    Json,
}

/// How the way to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    #[default]
    Starttls,
    Tls,
    None,
}

impl From<TlsMode> for deliver::message::Tls {
    fn from(mode: TlsMode) -> Self {
        match mode {
            TlsMode::Starttls => deliver::message::Tls::StartTls,
            TlsMode::Tls => deliver::message::Tls::Implicit,
            TlsMode::None => deliver::message::Tls::None,
        }
    }
}

/// A text or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub fn list(&self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one.clone()],
            OneOrMany::Many(many) => many.clone(),
        }
    }
}

impl ChannelConfig {
    /// Refuses what is missing, what belongs to another kind, and addresses that are none.
    pub fn check(&self) -> Result<()> {
        let mail = [ChannelKind::Mail].as_slice();
        let web = [ChannelKind::Webhook].as_slice();
        for (key, given, kinds) in [
            ("shape", self.shape.is_some(), web),
            ("url", self.url.is_some(), web),
            ("to", self.to.is_some(), mail),
            ("from", self.from.is_some(), mail),
            ("server", self.server.is_some(), mail),
            ("port", self.port.is_some(), mail),
            ("tls", self.tls.is_some(), mail),
            ("ca", self.ca.is_some(), &[ChannelKind::Webhook, ChannelKind::Mail]),
            ("user", self.user.is_some(), mail),
            ("password", self.password.is_some(), mail),
            ("argv", self.argv.is_some(), &[ChannelKind::Mail, ChannelKind::Exec]),
        ] {
            if given && !kinds.contains(&self.kind) {
                let kind = self.kind.name();
                return Err(Trouble::usage(format!("'{key}' means nothing to a channel of kind {kind}")));
            }
        }
        let missing = match self.kind {
            ChannelKind::Webhook if self.url.is_none() => Some(("url", "url = { env = \"VARIABLE\" }")),
            ChannelKind::Mail if self.to.is_none() => Some(("to", "to = \"user@server\"")),
            ChannelKind::Exec if self.argv.is_none() => Some(("argv", "argv = [\"/usr/local/bin/tell\"]")),
            _ => None,
        };
        if let Some((key, example)) = missing {
            return Err(Trouble::usage(format!("'{key}' is missing")).hint(example));
        }
        if let Some(timeout) = &self.timeout {
            words::parse_span(timeout).map_err(|t| t.about("timeout"))?;
        }
        if self.kind == ChannelKind::Mail { self.check_mail() } else { self.check_argv() }
    }

    fn check_mail(&self) -> Result<()> {
        let to = self.to.as_ref().map(OneOrMany::list).unwrap_or_default();
        if to.is_empty() {
            return Err(Trouble::usage("'to' is empty").hint("to = \"user@server\""));
        }
        to.iter().chain(&self.from).try_for_each(|text| deliver::address(text).map(drop))?;
        let serverless = [
            ("port", self.port.is_some()),
            ("tls", self.tls.is_some()),
            ("ca", self.ca.is_some()),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
        ];
        match (&self.server, serverless.iter().find(|(_, given)| *given)) {
            (None, Some((key, _))) => {
                return Err(Trouble::usage(format!("'{key}' means nothing without 'server'")));
            }
            (Some(_), _) if self.argv.is_some() => {
                return Err(Trouble::usage("'server' and 'argv' are two ways to send one mail"));
            }
            _ => {}
        }
        if self.user.is_some() != self.password.is_some() {
            return Err(Trouble::usage("'user' and 'password' are needed together"));
        }
        self.check_argv()
    }

    fn check_argv(&self) -> Result<()> {
        if self.argv.as_ref().is_some_and(|argv| argv.first().is_none_or(String::is_empty)) {
            return Err(Trouble::usage("'argv' is empty").hint("argv = [\"/usr/local/bin/tell\"]"));
        }
        Ok(())
    }
}

impl ChannelKind {
    pub fn name(self) -> &'static str {
        match self {
            ChannelKind::Webhook => "webhook",
            ChannelKind::Mail => "mail",
            ChannelKind::Exec => "exec",
        }
    }
}

/// Relative paths belong to the file that names them.
pub(super) fn resolve(channel: &mut toml::Table, full: &dyn Fn(&str) -> String) {
    let fix = |value: Option<&mut toml::Value>| {
        if let Some(toml::Value::String(text)) = value {
            *text = full(text);
        }
    };
    fix(channel.get_mut("ca"));
    for key in ["url", "password"] {
        fix(channel.get_mut(key).and_then(toml::Value::as_table_mut).and_then(|t| t.get_mut("file")));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::base::Kind;
    use crate::site::config::Loaded;
    use crate::world::fs::eyes::LiveEyes;

    fn read(text: &str) -> Result<Loaded, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("site.toml");
        std::fs::write(&file, format!("[notify.ops]\n{text}\n")).unwrap();
        Loaded::read(&LiveEyes, Some(&file), None).map_err(|t| {
            assert_eq!(t.kind(), Kind::Configuration);
            t.to_string()
        })
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        for (text, wanted) in [
            ("kind = 'webhook'\nurl = { env = 'X' }\nshape = 'slack'", ""),
            ("kind = 'mail'\nto = 'ops@site.org'", ""),
            ("kind = 'exec'\nargv = ['tell']\non = 'failure'\ntimeout = '2s'", ""),
            ("kind = 'webhook'", "notify.ops: 'url' is missing"),
            ("kind = 'webhook'\nurl = 'https://h/geheim'", "a secret is not written into the site file"),
            ("kind = 'webhook'\nurl = { env = 'X', file = 'y' }", "one of"),
            ("kind = 'webhook'\nurl = { evn = 'X' }", "did you mean 'env'?"),
            ("kind = 'webhook'\nurl = { env = 'X' }\nserver = 'm'", "'server' means nothing"),
            ("kind = 'mial'\nto = 'ops@site.org'", "unknown variant `mial`"),
            ("kind = 'mail'\nto = 'ops'", "is not an address"),
            ("kind = 'mail'\nto = []", "'to' is empty"),
            ("kind = 'mail'\nto = 'ops@site.org'\nport = 25", "without 'server'"),
            ("kind = 'mail'\nto = 'ops@site.org'\nserver = 'm'\nuser = 'me'", "needed together"),
            ("kind = 'mail'\nto = 'a@b.c'\nserver = 'm'\nargv = ['x']", "two ways"),
            ("kind = 'mail'\nto = 'a@b.c'\nserverr = 'm'", "did you mean 'server'?"),
            ("kind = 'exec'\nargv = []", "'argv' is empty"),
            ("kind = 'exec'\nargv = ['x']\ntimeout = 'soon'", "'soon' is not a duration"),
            ("kind = 'exec'\nargv = ['x']\non = 'chnage'", "unknown variant"),
        ] {
            let got = read(text).map(drop).err().unwrap_or_default();
            assert!(got.contains(wanted) && got.is_empty() == wanted.is_empty(), "{text}\n{got}");
            assert!(!got.contains("geheim"), "{got}");
        }
    }

    #[test]
    fn a_later_file_replaces_the_reference_and_paths_belong_to_their_file() {
        let dir = tempfile::tempdir().unwrap();
        let user = "[notify.ops]\nkind = 'webhook'\nurl = { env = 'HOOK' }\nca = 'ca.pem'\n";
        std::fs::write(dir.path().join("site.toml"), user).unwrap();
        let own = dir.path().join("own.toml");
        std::fs::write(&own, "[notify.ops]\nkind = 'webhook'\nurl = { file = 'hook' }\n").unwrap();
        let loaded = Loaded::read(&LiveEyes, Some(&own), Some(dir.path())).unwrap();
        let channel = &loaded.config.notify["ops"];
        assert_eq!(channel.ca.as_deref(), Some(dir.path().join("ca.pem")).as_deref());
        let shown = serde_json::to_value(channel).unwrap();
        assert_eq!(Path::new(shown["url"]["file"].as_str().unwrap()), dir.path().join("hook"));
        assert!(loaded.origins["notify.ops.url"].ends_with("own.toml"));
    }
}

//! Mail: addresses that are checked, a message that says it comes from a machine, and the way to a server.

use std::fmt::Display;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls as Wire, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{Address, AsyncTransport as _, Tokio1Executor};

use crate::base::redact::{self, Secret};
use crate::base::{Result, Trouble};
use crate::world::net::deliver::message::{Envelope, Failure, Notice, Smtp, Tls};

/// Reads `user@server` or `Name <user@server>`. All of the text must be that: what follows would be lost, or become
/// a header of its own.
pub fn address(text: &str) -> Result<Mailbox> {
    let bad = || {
        Trouble::usage(format!("{text:?} is not an address of a mail"))
            .hint("write user@server or Name <user@server>, one address a text")
    };
    if text.contains(char::is_control) {
        return Err(bad());
    }
    let (name, plain) = match text.trim().strip_suffix('>').map(|t| t.split_once('<')) {
        Some(Some((name, plain))) => (name.trim().trim_matches('"').trim(), plain),
        Some(None) => return Err(bad()),
        None => ("", text.trim()),
    };
    let plain: Address = plain.parse().map_err(|_| bad())?;
    Ok(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), plain))
}

impl Envelope {
    pub fn check(&self) -> Result<()> {
        if self.to.is_empty() {
            return Err(Trouble::usage("a mail needs somebody to go to").hint("to = \"user@server\""));
        }
        self.to.iter().chain([&self.from]).try_for_each(|text| address(text).map(drop))
    }
}

/// Refuses what cannot work, and a password that anybody on the way could read.
pub fn check(smtp: &Smtp) -> Result<()> {
    smtp.envelope.check()?;
    if smtp.server.is_empty() || smtp.server.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(Trouble::usage(format!("{:?} is not the name of a mail server", smtp.server)));
    }
    let here = ["localhost", "127.0.0.1", "::1"].contains(&smtp.server.as_str());
    if smtp.tls == Tls::None && smtp.login.is_some() && !here {
        return Err(Trouble::usage("a password is not sent over a connection that is not encrypted")
            .hint("tls = \"starttls\" or \"tls\"; or no user and password"));
    }
    Ok(())
}

/// The port that is usual for what is asked.
pub fn port(smtp: &Smtp) -> u16 {
    smtp.port.unwrap_or(match (smtp.tls, &smtp.login) {
        (Tls::Implicit, _) => 465,
        (Tls::StartTls, Some(_)) => 587,
        (Tls::StartTls, None) | (Tls::None, _) => 25,
    })
}

/// The message as a program on this machine takes it.
pub fn text(envelope: &Envelope, notice: &Notice) -> Result<String, Failure> {
    let bytes = compose(envelope, notice)?.formatted();
    // The encodings of the body leave nothing but ASCII; local programs end lines as the system does.
    Ok(String::from_utf8_lossy(&bytes).replace("\r\n", "\n"))
}

fn compose(envelope: &Envelope, notice: &Notice) -> Result<Message, Failure> {
    let fail = |e: &dyn Display| Failure::for_good(format!("the mail cannot be written: {e}"));
    let mailbox = |text: &str| address(text).map_err(|t| fail(&t.message()));
    let mut builder = Message::builder()
        .from(mailbox(&envelope.from)?)
        .date_now()
        .message_id(None)
        .subject(&notice.title)
        .user_agent(concat!("moonstack/", env!("CARGO_PKG_VERSION")).to_owned())
        .header(ContentType::TEXT_PLAIN);
    for to in &envelope.to {
        builder = builder.to(mailbox(to)?);
    }
    // RFC 3834: no answers to a machine, such as those of people on holiday.
    builder = raw(builder, "Auto-Submitted", "auto-generated");
    if notice.urgent {
        builder = raw(builder, "Importance", "high");
    }
    builder.body(notice.body.clone()).map_err(|e| fail(&e))
}

fn raw(
    builder: lettre::message::MessageBuilder,
    name: &'static str,
    value: &str,
) -> lettre::message::MessageBuilder {
    let name = HeaderName::new_from_ascii_str(name);
    builder.raw_header(HeaderValue::new(name, value.to_owned()))
}

pub struct Ready {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    message: Message,
    password: Option<Secret>,
}

impl Ready {
    pub fn new(smtp: &Smtp, notice: &Notice) -> Result<Ready, Failure> {
        let message = compose(&smtp.envelope, notice)?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.server)
            .port(port(smtp))
            .tls(wire(smtp)?);
        if let Some((user, password)) = &smtp.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        let password = smtp.login.as_ref().map(|(_, password)| password.clone());
        Ok(Ready { transport: builder.build(), message, password })
    }

    pub async fn send(&self) -> Result<(), Failure> {
        self.transport.send(self.message.clone()).await.map(drop).map_err(|e| self.failed(&e))
    }

    fn failed(&self, error: &Error) -> Failure {
        let mut text = redact::redact(&reason(error));
        if self.password.as_ref().is_some_and(|p| !p.expose().is_empty() && text.contains(p.expose())) {
            String::from("the mail server refused").clone_into(&mut text);
        }
        if text.contains("CaUsedAsEndEntity") {
            text.push_str(" (a certificate that signs itself must say basicConstraints = CA:FALSE)");
        }
        let again =
            !(error.is_permanent() || error.is_client() || error.is_tls() || text.contains("certificate"));
        if again { Failure::for_now(text) } else { Failure::for_good(text) }
    }
}

fn wire(smtp: &Smtp) -> Result<Wire, Failure> {
    if smtp.tls == Tls::None {
        return Ok(Wire::None);
    }
    let mut builder = TlsParameters::builder(smtp.server.clone());
    if let Some(path) = &smtp.ca {
        let fail = |e: &dyn Display| {
            Failure::for_good(format!("cannot use the certificates in {}: {e}", path.display()))
        };
        let pem = std::fs::read(path).map_err(|e| fail(&e))?;
        let certificate = Certificate::from_pem(&pem).map_err(|e| fail(&e))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    let parameters =
        builder.build().map_err(|e| Failure::for_good(format!("TLS cannot be used: {}", reason(&e))))?;
    Ok(match smtp.tls {
        Tls::Implicit => Wire::Wrapper(parameters),
        _ => Wire::Required(parameters),
    })
}

/// The server's own words, or the innermost cause.
fn reason(error: &Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    match error.status() {
        Some(code) => format!("the mail server answered {code}: {inner}"),
        None => inner.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_all_of_a_text() {
        for (given, wanted) in [
            ("ops@site.org", Some("ops@site.org")),
            (" ops@site.org ", Some("ops@site.org")),
            ("Ops Team <ops@site.org>", Some("Ops Team <ops@site.org>")),
            ("\"Ops, Team\" <ops@site.org>", Some("\"Ops, Team\" <ops@site.org>")),
            ("root@localhost", Some("root@localhost")),
            ("ops@site.org, boss@site.org", None),
            ("ops@site.org\r\nBcc: x@y.z", None),
            ("a\nb <ops@site.org>", None),
            ("<ops@site.org", None),
            ("ops@site.org>", None),
            ("ops", None),
            ("@site.org", None),
            ("", None),
        ] {
            let got = address(given).ok().map(|m| m.to_string());
            assert_eq!(got.as_deref(), wanted, "{given:?}");
        }
    }

    #[test]
    fn a_mail_is_ascii_and_says_that_a_machine_wrote_it() {
        let envelope =
            Envelope { from: "Moonstack <m@site.org>".into(), to: vec!["a@x.org".into(), "b@x.org".into()] };
        let notice = Notice {
            title: "[moonstack] n1: täglich\r\nBcc: evil@x.org".into(),
            body: "grün\n.\nFrom here\n".into(),
            urgent: true,
        };
        let Ok(mail) = text(&envelope, &notice) else { panic!("no mail") };
        assert!(mail.is_ascii() && !mail.contains('\r'), "{mail}");
        for line in [
            "To: a@x.org, b@x.org",
            "Auto-Submitted: auto-generated",
            "Importance: high",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(mail.lines().any(|l| l == line), "{line} is not in\n{mail}");
        }
        assert!(mail.contains("\nDate: ") || mail.starts_with("Date: "), "{mail}");
        assert!(mail.contains("\nMessage-ID: <"), "{mail}");
        assert!(!mail.lines().any(|l| l.starts_with("Bcc")), "{mail}");
    }

    #[test]
    fn a_password_is_not_sent_in_the_clear() {
        let smtp = |server: &str, tls| Smtp {
            server: server.into(),
            port: None,
            tls,
            ca: None,
            login: Some(("me".into(), Secret::new("hush"))),
            envelope: Envelope { from: "a@x.org".into(), to: vec!["b@x.org".into()] },
        };
        assert!(check(&smtp("mail.x.org", Tls::None)).is_err());
        assert!(check(&smtp("mail.x.org", Tls::StartTls)).is_ok());
        assert!(check(&smtp("localhost", Tls::None)).is_ok());
        assert!(check(&smtp("mail x", Tls::StartTls)).is_err());
        assert_eq!(port(&smtp("mail.x.org", Tls::StartTls)), 587);
    }
}

//! JSON to a web server. The address is a secret as a whole but for the server's name, so neither errors nor what
//! the server says may carry it on.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Response, StatusCode, Url, header};

use crate::base::redact::{self, Secret};
use crate::base::{Result, Trouble};
use crate::world::net::deliver::message::{Failure, Web};
use crate::world::net::http;

/// How much of a refusal is read.
const SAID: usize = 200;

/// The address of a server that takes notices.
pub fn parse(url: &Secret) -> Result<Url> {
    let bad = |why: &str| {
        Trouble::usage(format!("the address of the webhook {why}")).hint("write https://server/path")
    };
    let url = Url::parse(url.expose().trim()).map_err(|e| bad(&format!("is not a URL: {e}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(bad(&format!("must begin with http:// or https://, not {other}:"))),
    }
}

/// Scheme and server only.
pub fn shown(url: &Secret) -> String {
    parse(url).map_or_else(|_| String::from("(no URL)"), |url| url.origin().ascii_serialization())
}

pub struct Ready {
    client: Client,
    url: Url,
    body: String,
}

impl Ready {
    pub fn new(web: &Web, body: String) -> Result<Ready, Failure> {
        let url = parse(&web.url).map_err(|t| Failure::for_good(t.message()))?;
        http::provider();
        let mut builder = Client::builder()
            .user_agent(concat!("moonstack/", env!("CARGO_PKG_VERSION")))
            // What is sent to one server is not for another.
            .redirect(Policy::none());
        if let Some(path) = &web.ca {
            let fail = |e: &dyn std::fmt::Display| {
                Failure::for_good(format!("cannot use the certificates in {}: {e}", path.display()))
            };
            let pem = std::fs::read(path).map_err(|e| fail(&e))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|e| fail(&e))?;
            builder = builder.tls_certs_only(certificates);
        }
        let client =
            builder.build().map_err(|e| Failure::for_good(format!("HTTP cannot be used: {}", reason(&e))))?;
        Ok(Ready { client, url, body })
    }

    pub async fn send(&self) -> Result<(), Failure> {
        let request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(self.body.clone());
        let reply = request.send().await.map_err(|e| self.failed(&e))?;
        let status = reply.status();
        if status.is_success() {
            return Ok(());
        }
        let after = waiting(reply.headers());
        let mut text = match status.canonical_reason() {
            Some(reason) => format!("the server answered {} ({reason})", status.as_u16()),
            None => format!("the server answered {}", status.as_u16()),
        };
        if status.is_redirection() {
            text.push_str(": give the address that it leads to");
        } else if let Some(said) = self.said(reply).await {
            text.push_str(&format!(": {said}"));
        }
        let again = status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        Err(Failure { text, again, after: after.filter(|_| again) })
    }

    /// No connection, or one that ended early.
    fn failed(&self, error: &reqwest::Error) -> Failure {
        let doing = if error.is_connect() { "cannot reach the server" } else { "the connection failed" };
        let reason = reason(error);
        let reason = if self.hides(&reason) { String::new() } else { format!(": {reason}") };
        let text = format!("{doing}{}", redact::redact(&reason));
        // A certificate that is not trusted is not trusted a second later either.
        if text.contains("certificate") { Failure::for_good(text) } else { Failure::for_now(text) }
    }

    /// A short refusal in words. A page that repeats the address is not shown.
    async fn said(&self, mut reply: Response) -> Option<String> {
        let mut bytes = Vec::new();
        while let Ok(Some(piece)) = reply.chunk().await {
            bytes.extend_from_slice(&piece);
            if bytes.len() > SAID {
                return None;
            }
        }
        let text = String::from_utf8(bytes).ok()?;
        let text = text.trim();
        let plain = !text.is_empty() && !text.contains('<') && !text.contains(char::is_control);
        (plain && !self.hides(text)).then(|| redact::redact(text))
    }

    /// Whether a text has a part of the address that is secret.
    fn hides(&self, text: &str) -> bool {
        let parts = self.url.path_segments().into_iter().flatten();
        let pairs = self.url.query().into_iter().flat_map(|q| q.split(['&', '=']));
        let known = self.url.password().into_iter();
        parts.chain(pairs).chain(known).any(|part| part.len() > 3 && text.contains(part))
    }
}

/// The time that a server asks for: seconds, or a date.
fn waiting(headers: &header::HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let when = jiff::fmt::rfc2822::parse(text).ok()?;
    Duration::try_from(when.timestamp().duration_since(jiff::Timestamp::now())).ok()
}

/// The innermost cause: the outer ones only say that a request failed, and name its address.
fn reason(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    if std::ptr::addr_eq(inner, error) { String::from("the request failed") } else { inner.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_server_of_an_address_is_shown() {
        for (url, wanted) in [
            ("https://hooks.example.org/services/T0/secret?sig=x", "https://hooks.example.org"),
            ("http://me:pw@127.0.0.1:8080/x", "http://127.0.0.1:8080"),
            ("secret", "(no URL)"),
            ("ftp://host/secret", "(no URL)"),
        ] {
            assert_eq!(shown(&Secret::new(url)), wanted);
        }
        let error = parse(&Secret::new("hooks.example.org/secret")).unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_time_to_wait_is_seconds_or_a_date() {
        let ask = |text: &str| {
            let value = header::HeaderValue::from_str(text).unwrap();
            waiting(&header::HeaderMap::from_iter([(header::RETRY_AFTER, value)]))
        };
        assert_eq!(ask("7"), Some(Duration::from_secs(7)));
        assert_eq!(ask("soon"), None);
        assert_eq!(ask("Sun, 06 Nov 1994 08:49:37 GMT"), None);
        let hour = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&hour).unwrap();
        assert!(ask(&date).is_some_and(|d| d.as_secs() > 3590), "{date}");
    }
}

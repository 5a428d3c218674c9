//! Asks a web server whether it has something, without fetching it.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};

use crate::base::redact::redact;
use crate::base::{Kind, Result, Trouble};

/// The status of a `HEAD`, or of a `GET` where the server does not know that.
pub async fn status(url: &str, limit: Duration) -> Result<u16> {
    // Whoever was first has installed one; both are the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fail = |e: reqwest::Error| {
        let why = if e.is_timeout() { "no answer in time".to_owned() } else { cause(&e) };
        Trouble::new(Kind::Network, why).fact("url", redact(url)).retryable()
    };
    let client = Client::builder().timeout(limit).build().map_err(fail)?;
    let ask = |method| client.request(method, url).send();
    let head = ask(Method::HEAD).await.map_err(fail)?.status();
    if matches!(head, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
        return Ok(ask(Method::GET).await.map_err(fail)?.status().as_u16());
    }
    Ok(head.as_u16())
}

/// The innermost reason: "connection refused" says more than "error sending request".
fn cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

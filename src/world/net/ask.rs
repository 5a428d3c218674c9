//! Asks a web server whether it has something, and fetches small texts.

use std::time::Duration;

use reqwest::{Client, Method, Response, StatusCode};

use crate::base::redact::redact;
use crate::base::{Kind, Result, Trouble};

/// More than any text that is asked for.
const LARGEST: usize = 16 << 20;

/// Asks as often as somebody wants to; connections are used again.
#[derive(Debug, Clone)]
pub struct Web {
    client: Client,
}

/// What a server says of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// The length of the content, where it is told.
    pub length: Option<u64>,
}

impl Web {
    /// One that waits so long for each answer.
    pub fn new(limit: Duration) -> Result<Web> {
        // Whoever was first has installed one; both are the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(limit).build();
        Ok(Web { client: client.map_err(|e| Trouble::new(Kind::Network, cause(&e)))? })
    }

    /// By a `HEAD`, or by a `GET` where the server does not know that.
    pub async fn head(&self, url: &str) -> Result<Head> {
        let told = |answer: Response| {
            let length = answer.headers().get("content-length").and_then(|value| value.to_str().ok());
            Head { status: answer.status().as_u16(), length: length.and_then(|text| text.parse().ok()) }
        };
        let head = self.ask(Method::HEAD, url).await?;
        if matches!(head.status(), StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
            return Ok(told(self.ask(Method::GET, url).await?));
        }
        Ok(told(head))
    }

    /// The status and the text of what is there.
    pub async fn text(&self, url: &str) -> Result<(u16, String)> {
        let mut answer = self.ask(Method::GET, url).await?;
        let (status, mut bytes) = (answer.status().as_u16(), Vec::new());
        while let Some(part) = answer.chunk().await.map_err(|e| failed(url, &e))? {
            bytes.extend_from_slice(&part);
            if bytes.len() > LARGEST {
                return Err(Trouble::new(Kind::Network, "the answer has no end").fact("url", redact(url)));
            }
        }
        Ok((status, String::from_utf8_lossy(&bytes).into_owned()))
    }

    async fn ask(&self, method: Method, url: &str) -> Result<Response> {
        self.client.request(method, url).send().await.map_err(|e| failed(url, &e))
    }
}

fn failed(url: &str, error: &reqwest::Error) -> Trouble {
    let why = if error.is_timeout() { "no answer in time".to_owned() } else { cause(error) };
    Trouble::new(Kind::Network, why).fact("url", redact(url)).retryable()
}

/// The innermost reason: "connection refused" says more than "error sending request".
fn cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}

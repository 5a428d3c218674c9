//! Looks over HTTP: one bounded GET. Nothing here sends a change to a server.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::sync::Once;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use crate::base::{Kind, Result, Trouble, redact, words};

/// What to ask for, and how much to put up with.
#[derive(Debug, Clone)]
pub struct Request {
    pub url: String,
    pub headers: BTreeMap<String, String>,
    /// For everything together, body included.
    pub timeout: Duration,
    /// Bytes of the body.
    pub limit: u64,
    pub redirects: usize,
}

/// What the server said.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
    /// After redirects, without user information.
    pub url: String,
    pub seconds: f64,
}

/// Asks. Any status is a result; errors are: no answer, too late, too much.
pub async fn get(request: Request) -> Result<Response> {
    let url = parse(&request.url)?;
    let shown = redact::redact(url.as_str());
    let begin = Instant::now();
    let client = client(&request)?;
    let work = async {
        let mut reply = client
            .get(url)
            .headers(headers(&request.headers)?)
            .send()
            .await
            .map_err(|e| trouble(&shown, &e))?;
        let too_much = || {
            Trouble::new(Kind::Refused, format!("{shown} has more than {}", words::size(request.limit)))
                .hint("the option limit sets how much may be loaded")
        };
        if reply.content_length().is_some_and(|n| n > request.limit) {
            return Err(too_much());
        }
        let mut body = Vec::new();
        while let Some(piece) = reply.chunk().await.map_err(|e| trouble(&shown, &e))? {
            if (body.len() + piece.len()) as u64 > request.limit {
                return Err(too_much());
            }
            body.extend_from_slice(&piece);
        }
        Ok(Response {
            status: reply.status().as_u16(),
            headers: reply
                .headers()
                .iter()
                .map(|(k, v)| (k.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
                .collect(),
            body,
            url: redact::redact(reply.url().as_str()),
            seconds: begin.elapsed().as_secs_f64(),
        })
    };
    match tokio::time::timeout(request.timeout, work).await {
        Ok(result) => result,
        Err(_) => Err(Trouble::new(
            Kind::Timeout,
            format!("{shown} did not answer within {}", words::span(request.timeout)),
        )
        .retryable()),
    }
}

fn parse(text: &str) -> Result<Url> {
    let shown = redact::redact(text);
    let url = Url::parse(text).map_err(|e| Trouble::usage(format!("'{shown}' is not a URL: {e}")))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(Trouble::usage(format!("'{shown}': only http and https are loaded, not {other}"))),
    }
}

/// The cryptography that TLS needs, installed with the first use.
pub(in crate::world) fn provider() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // An error means that somebody installed one before, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

fn client(request: &Request) -> Result<Client> {
    provider();
    Client::builder()
        .user_agent(concat!("moonstack/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::limited(request.redirects))
        .connect_timeout(request.timeout)
        .build()
        .map_err(|e| Trouble::new(Kind::Network, format!("HTTP cannot be used: {}", reason(&e))))
}

fn headers(given: &BTreeMap<String, String>) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in given {
        let bad = |what: &str| Trouble::usage(format!("header '{name}': its {what} is not allowed"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
        map.insert(key, HeaderValue::from_str(value).map_err(|_| bad("value"))?);
    }
    Ok(map)
}

fn trouble(url: &str, error: &reqwest::Error) -> Trouble {
    let kind = if error.is_timeout() { Kind::Timeout } else { Kind::Network };
    let doing = if error.is_connect() { "cannot reach" } else { "cannot load" };
    let trouble =
        Trouble::new(kind, format!("{doing} {url}: {}", redact::redact(&reason(error)))).fact("url", url);
    if error.is_redirect() { trouble } else { trouble.retryable() }
}

/// The innermost cause: the outer ones only say that a request failed.
fn reason(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// Answers each connection with what `reply` gives for the request's path.
    fn server(reply: fn(&str) -> Vec<u8>, delay: Duration) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut buffer = [0; 4096];
                let n = stream.read(&mut buffer).unwrap_or(0);
                let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                std::thread::sleep(delay);
                let _ = stream.write_all(&reply(&text));
            }
        });
        format!("http://{address}")
    }

    fn ask(url: String, timeout_ms: u64, limit: u64) -> Result<Response> {
        let request = Request {
            url,
            headers: BTreeMap::from([("X-Site".into(), "here".into())]),
            timeout: Duration::from_millis(timeout_ms),
            limit,
            redirects: 3,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(get(request))
    }

    fn reply(request: &str) -> Vec<u8> {
        let (status, body): (&str, &[u8]) = match request.split(' ').nth(1) {
            Some("/ok") if request.to_lowercase().contains("x-site: here") => ("200 OK", b"\xff\x00fine"),
            Some("/loop") => ("302 Found\r\nLocation: /loop", b""),
            Some("/once") => ("302 Found\r\nLocation: /ok", b""),
            _ => ("404 Not Found", b"nothing"),
        };
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    #[test]
    fn bytes_status_and_redirects() {
        let base = server(reply, Duration::ZERO);
        let ok = ask(format!("{base}/once"), 5000, 100).unwrap();
        assert_eq!((ok.status, ok.body.as_slice()), (200, b"\xff\x00fine".as_slice()));
        assert!(ok.url.ends_with("/ok"));
        assert_eq!(ask(format!("{base}/no"), 5000, 100).unwrap().status, 404);
        assert_eq!(ask(format!("{base}/loop"), 5000, 100).unwrap_err().kind(), Kind::Network);
    }

    #[test]
    fn limits_hold_with_and_without_a_length() {
        let base = server(reply, Duration::ZERO);
        assert_eq!(ask(format!("{base}/ok"), 5000, 5).unwrap_err().kind(), Kind::Refused);
        let base = server(|_| b"HTTP/1.0 200 OK\r\n\r\n0123456789".to_vec(), Duration::ZERO);
        assert_eq!(ask(base.clone(), 5000, 5).unwrap_err().kind(), Kind::Refused);
        assert_eq!(ask(base, 5000, 10).unwrap().body.len(), 10);
        let slow = server(reply, Duration::from_secs(5));
        assert_eq!(ask(slow, 100, 100).unwrap_err().kind(), Kind::Timeout);
    }

    #[test]
    fn a_refused_connection_says_so_without_the_password() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = ask(format!("http://me:hush@127.0.0.1:{port}/x"), 5000, 10).unwrap_err();
        assert_eq!(error.kind(), Kind::Network);
        assert!(error.retry() && error.message().contains("refused"), "{error}");
        assert!(!error.to_json().to_string().contains("hush"), "{error}");
        for url in ["ftp://h/x", "file:///etc/passwd", "nonsense"] {
            assert_eq!(ask(url.into(), 100, 1).unwrap_err().kind(), Kind::Usage, "{url}");
        }
    }
}

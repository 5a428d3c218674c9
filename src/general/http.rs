//! `http`: loading a document.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::argument::{Bytes, Size, Span};
use crate::base::{Kind, Result, Trouble};
use crate::site::Cx;
use crate::world::net::http;

/// Loads a document over http or https. The proxy variables of the environment count.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct GetArgs {
    /// The address. User and password in it are sent, and never shown.
    url: String,
    /// Headers to send.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Give up after this long; `"30s"` by default.
    timeout: Option<Span>,
    /// Refuse more than this; `"64 MiB"` by default.
    limit: Option<Size>,
    /// How many redirects to follow; 10 by default.
    redirects: Option<u16>,
    /// Raise an error when the status is 400 or higher (the default).
    #[serde(default = "yes")]
    check: bool,
}

fn yes() -> bool {
    true
}

/// What the server answered.
#[derive(Debug, Serialize, JsonSchema)]
pub struct GetResult {
    /// The status is below 400.
    ok: bool,
    /// The status, such as 200.
    status: u16,
    /// The headers, with names in lower case.
    headers: BTreeMap<String, String>,
    /// The document: any bytes.
    body: Bytes,
    /// Where it came from after redirects.
    url: String,
    /// How long it took.
    seconds: f64,
}

pub async fn get(_cx: Cx, args: GetArgs) -> Result<GetResult> {
    let reply = http::get(http::Request {
        url: args.url,
        headers: args.headers,
        timeout: args.timeout.map_or(Duration::from_secs(30), |s| s.0),
        limit: args.limit.map_or(64 << 20, |s| s.0),
        redirects: args.redirects.unwrap_or(10).into(),
    })
    .await?;
    let ok = reply.status < 400;
    if args.check && !ok {
        let trouble =
            Trouble::new(Kind::Network, format!("{} answered with status {}", reply.url, reply.status))
                .fact("url", reply.url)
                .fact("status", reply.status);
        let again = reply.status == 429 || reply.status >= 500;
        return Err(if again { trouble.retryable() } else { trouble });
    }
    Ok(GetResult {
        ok,
        status: reply.status,
        headers: reply.headers,
        body: Bytes(reply.body),
        url: reply.url,
        seconds: reply.seconds,
    })
}

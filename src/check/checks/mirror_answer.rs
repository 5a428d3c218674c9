//! Asks a web server for the first of several paths, as far as the check of mirrors needs it.

use std::time::Duration;

use crate::world::net::ask;

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// It has this path.
    Found(String),
    /// It answers, and has none of them.
    Missing,
    /// It answers with an error.
    Refused(String),
    /// It does not answer.
    Silent(String),
}

pub async fn reach(url: &str, paths: &[&str], limit: Duration) -> Reached {
    let mut refused = None;
    for path in paths {
        let full = format!("{}/{path}", url.trim_end_matches('/'));
        match ask::status(&full, limit).await {
            Ok(200..=399) => return Reached::Found((*path).to_owned()),
            Ok(404 | 410) => {}
            Ok(status) => refused = Some(format!("HTTP {status}")),
            Err(trouble) => return Reached::Silent(trouble.message().to_owned()),
        }
    }
    refused.map_or(Reached::Missing, Reached::Refused)
}

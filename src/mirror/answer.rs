//! What a web server's answer says of a path: it has it, it has it not, or nobody can tell.

use crate::world::net::ask::{Head, Web};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    Here(T),
    NotHere,
    /// It answers with another status: that of an error, or of what it shows to others only.
    Refused(u16),
    /// It does not answer, and why.
    Silent(String),
}

impl<T> Answer<T> {
    fn of(status: u16, there: T) -> Answer<T> {
        match status {
            200..=299 => Answer::Here(there),
            404 | 410 => Answer::NotHere,
            other => Answer::Refused(other),
        }
    }

    /// Why nobody can tell.
    pub fn unknown(&self) -> Option<String> {
        match self {
            Answer::Refused(status) => Some(format!("HTTP {status}")),
            Answer::Silent(why) => Some(why.clone()),
            Answer::Here(_) | Answer::NotHere => None,
        }
    }
}

pub async fn head(web: &Web, url: &str) -> Answer<Head> {
    match web.head(url).await {
        Ok(head) => Answer::of(head.status, head),
        Err(trouble) => Answer::Silent(trouble.message().to_owned()),
    }
}

pub async fn text(web: &Web, url: &str) -> Answer<String> {
    match web.text(url).await {
        Ok((status, text)) => Answer::of(status, text),
        Err(trouble) => Answer::Silent(trouble.message().to_owned()),
    }
}

/// The first of the paths that is there.
pub async fn first<'p>(web: &Web, url: &str, paths: &[&'p str]) -> Answer<&'p str> {
    let mut worst = Answer::NotHere;
    for path in paths {
        match head(web, &format!("{}/{path}", url.trim_end_matches('/'))).await {
            Answer::Here(_) => return Answer::Here(path),
            Answer::NotHere => {}
            Answer::Refused(status) => worst = Answer::Refused(status),
            Answer::Silent(why) => return Answer::Silent(why),
        }
    }
    worst
}

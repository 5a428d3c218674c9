//! Text for people without anything that a terminal would take for a command: names, messages and files come from
//! anywhere. Whatever is printed passes here, the one place that knows what a terminal must not get.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::base::redact;

/// What a stream may get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clean {
    /// No sequence at all.
    Plain,
    /// Colours, which we have put there: what was put between them is plain.
    Styled,
    /// JSON, which has escapes of its own.
    Json,
}

/// The text as a terminal may have it. Colours of others are left out, and what is left of sequences is shown.
pub fn plain(text: &str) -> Cow<'_, str> {
    clean(text, Clean::Plain)
}

/// The same of a message, without secrets: what goes wrong may hold one, and logs keep what is said.
pub fn told(text: &str) -> String {
    let text = redact::redact(text);
    match plain(&text) {
        Cow::Owned(plain) => plain,
        Cow::Borrowed(_) => text,
    }
}

/// The same of a whole value, such as a plan with all that is in it.
pub fn plain_value<T: Serialize + DeserializeOwned + Clone>(value: &T) -> Cow<'_, T> {
    let Ok(whole) = serde_json::to_value(value) else { return Cow::Borrowed(value) };
    match plain_json(&whole) {
        Cow::Borrowed(_) => Cow::Borrowed(value),
        Cow::Owned(new) => serde_json::from_value(new).map_or(Cow::Borrowed(value), Cow::Owned),
    }
}

/// The same of every name and text in it.
pub fn plain_json(value: &serde_json::Value) -> Cow<'_, serde_json::Value> {
    if is_plain(value) { Cow::Borrowed(value) } else { Cow::Owned(made_plain(value)) }
}

fn is_plain(value: &serde_json::Value) -> bool {
    use serde_json::Value as V;
    match value {
        V::String(text) => matches!(plain(text), Cow::Borrowed(_)),
        V::Array(items) => items.iter().all(is_plain),
        V::Object(map) => map.iter().all(|(key, v)| matches!(plain(key), Cow::Borrowed(_)) && is_plain(v)),
        V::Null | V::Bool(_) | V::Number(_) => true,
    }
}

fn made_plain(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value as V;
    match value {
        V::String(text) => plain(text).into_owned().into(),
        V::Array(items) => items.iter().map(made_plain).collect::<Vec<_>>().into(),
        V::Object(map) => {
            V::Object(map.iter().map(|(k, v)| (plain(k).into_owned(), made_plain(v))).collect())
        }
        other => other.clone(),
    }
}

/// What moves, hides or turns around text, and what is none.
fn is_command(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && c != '\n' && c != '\t'
}

pub fn clean(text: &str, what: Clean) -> Cow<'_, str> {
    let ascii = |b: u8| (b >= 0x20 || b == b'\n' || b == b'\t') && b < 0x7f;
    if text.bytes().all(ascii) || !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(at) = rest.find(is_command) {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let c = from.chars().next().unwrap_or_default();
        let colour = colour(from);
        if colour > 0 && what != Clean::Json {
            if what == Clean::Styled {
                out.push_str(from.get(..colour).unwrap_or_default());
            }
            rest = from.get(colour..).unwrap_or_default();
            continue;
        }
        rest = from.get(c.len_utf8()..).unwrap_or_default();
        // The end of a line, as files of other systems have it.
        if c == '\r' && rest.starts_with('\n') && what != Clean::Json {
            continue;
        }
        let number = u32::from(c);
        out.push_str(&match (what, number) {
            (Clean::Json, _) => format!("\\u{number:04x}"),
            (_, 0..0x100) => format!("\\x{number:02x}"),
            _ => format!("\\u{{{number:x}}}"),
        });
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// How long the sequence is that begins here and does no more than colour what follows; zero if it is none.
fn colour(text: &str) -> usize {
    let Some(body) = text.strip_prefix("\u{1b}[") else { return 0 };
    let end = body.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(body.len());
    if body.get(end..).is_some_and(|rest| rest.starts_with('m')) { 2 + end + 1 } else { 0 }
}

/// A stream that lets through what is clean. What is written at once is whole: no sequence goes on in the next.
pub struct Cleaner<W> {
    out: W,
    what: Clean,
}

impl<W: Write> Cleaner<W> {
    pub fn new(out: W, what: Clean) -> Self {
        Cleaner { out, what }
    }
}

impl<W: Write> Write for Cleaner<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.out.write_all(clean(&text, self.what).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        for (text, wanted) in [
            ("zlib@1.3 +x\tü …\n", "zlib@1.3 +x\tü …\n"),
            ("a\u{1b}[31mred\u{1b}[0;1mb", "aredb"),
            ("a\u{1b}[2Jb", "a\\x1b[2Jb"),
            ("\u{1b}]0;title\u{7}", "\\x1b]0;title\\x07"),
            ("\u{1b}[31", "\\x1b[31"),
            ("\u{9b}31m\u{7f}", "\\x9b31m\\x7f"),
            ("one\r\ntwo\rthree", "one\ntwo\\x0dthree"),
            ("a\u{202e}b", "a\\u{202e}b"),
        ] {
            assert_eq!(plain(text), wanted, "{text:?}");
            assert!(!plain(text).contains(is_command), "{text:?}");
        }
        assert_eq!(clean("\u{1b}[1mx\u{1b}[0m\u{1b}[2J", Clean::Styled), "\u{1b}[1mx\u{1b}[0m\\x1b[2J");
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({ "a\u{9b}b": ["\u{7f}\u{1b}[2J\r\n", "ü"] });
        let text = value.to_string();
        let made = clean(&text, Clean::Json);
        assert!(!made.contains(is_command), "{made}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&made).unwrap(), value);
        assert_eq!(*plain_json(&value), serde_json::json!({ "a\\x9bb": ["\\x7f\\x1b[2J\n", "ü"] }));
    }
}

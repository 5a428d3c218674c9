//! Lua's words and marks, for colours and completion. Takes half a line as it is: what does not end, ends there.

use std::ops::Range;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Keyword,
    Name,
    Number,
    /// A string that ends.
    Text,
    /// A string that is still open.
    OpenText,
    Comment,
    Mark,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub range: Range<usize>,
}

pub const KEYWORDS: &[&str] = &[
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local",
    "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
];

/// The tokens of a text, without the space between them.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = token(&text[at..], first);
        out.push(Token { kind, range: at..at + length });
        at += length;
    }
    out
}

fn token(rest: &str, first: char) -> (Kind, usize) {
    if let Some(comment) = rest.strip_prefix("--") {
        return match long(comment) {
            Some((length, _)) => (Kind::Comment, 2 + length),
            None => (Kind::Comment, rest.find('\n').unwrap_or(rest.len())),
        };
    }
    if let Some((length, closed)) = long(rest) {
        return (if closed { Kind::Text } else { Kind::OpenText }, length);
    }
    if first == '"' || first == '\'' {
        return quoted(rest, first);
    }
    let word = |good: fn(char) -> bool| rest.find(|c: char| !good(c)).unwrap_or(rest.len());
    if first.is_ascii_digit() {
        return (Kind::Number, word(|c| c.is_ascii_alphanumeric() || c == '.'));
    }
    if first.is_alphabetic() || first == '_' {
        let length = word(|c| c.is_alphanumeric() || c == '_');
        let kind = if KEYWORDS.contains(&&rest[..length]) { Kind::Keyword } else { Kind::Name };
        return (kind, length);
    }
    (Kind::Mark, first.len_utf8())
}

fn quoted(rest: &str, quote: char) -> (Kind, usize) {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return (Kind::OpenText, at),
            c if c == quote => return (Kind::Text, at + 1),
            _ => {}
        }
    }
    (Kind::OpenText, rest.len())
}

/// `[[…]]`, `[==[…]==]`: its length, and whether it ends.
fn long(rest: &str) -> Option<(usize, bool)> {
    let inner = rest.strip_prefix('[')?;
    let level = inner.len() - inner.trim_start_matches('=').len();
    inner[level..].strip_prefix('[')?;
    let close = format!("]{}]", "=".repeat(level));
    let body = level + 2;
    Some(match rest[body..].find(&close) {
        Some(end) => (body + end + close.len(), true),
        None => (rest.len(), false),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_lines_and_whole_ones() {
        let show = |text: &str| -> Vec<(Kind, String)> {
            tokens(text).into_iter().map(|t| (t.kind, text[t.range].to_owned())).collect()
        };
        let cases: &[(&str, &[(Kind, &str)])] = &[
            (
                "local x=1",
                &[(Kind::Keyword, "local"), (Kind::Name, "x"), (Kind::Mark, "="), (Kind::Number, "1")],
            ),
            ("f'a\\'b'", &[(Kind::Name, "f"), (Kind::Text, "'a\\'b'")]),
            ("\"open é", &[(Kind::OpenText, "\"open é")]),
            ("[=[ a ]] ]=]x", &[(Kind::Text, "[=[ a ]] ]=]"), (Kind::Name, "x")]),
            ("--[[ a\nb]] c", &[(Kind::Comment, "--[[ a\nb]]"), (Kind::Name, "c")]),
            ("-- a\nb", &[(Kind::Comment, "-- a"), (Kind::Name, "b")]),
            ("[[open", &[(Kind::OpenText, "[[open")]),
            ("a[1]", &[(Kind::Name, "a"), (Kind::Mark, "["), (Kind::Number, "1"), (Kind::Mark, "]")]),
        ];
        for (text, expected) in cases {
            let expected: Vec<(Kind, String)> = expected.iter().map(|(k, t)| (*k, (*t).to_owned())).collect();
            assert_eq!(show(text), expected, "{text}");
        }
    }
}

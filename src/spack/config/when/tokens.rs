//! The words of a condition.

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Text(String),
    Name(String),
    Sign(&'static str),
}

const SIGNS: &[&str] = &["==", "!=", "(", ")", "[", "]", ",", "."];

pub fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(after) = quoted(rest) {
            let (value, tail) = after?;
            out.push(Token::Text(value));
            rest = tail;
        } else if first.is_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            out.push(Token::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            out.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else {
            return None;
        }
        rest = rest.trim_start();
    }
    Some(out)
}

/// A string literal at the start: `None` when there is none, `Some(None)` when it is not understood.
#[allow(clippy::option_option)]
fn quoted(text: &str) -> Option<Option<(String, &str)>> {
    let (raw, body) = match text.strip_prefix(['r', 'R']) {
        Some(body) if body.starts_with(['"', '\'']) => (true, body),
        _ => (false, text),
    };
    let quote = body.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inside = &body[1..];
    let mut out = String::new();
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Some(Some((out, &inside[at + 1..]))),
            '\\' => match chars.next() {
                Some((_, c)) if raw => out.extend(['\\', c]),
                Some((_, c @ ('\\' | '"' | '\''))) => out.push(c),
                // Python keeps the backslash of what is no escape, which regular expressions rely on.
                Some((_, c @ ('.' | 'd' | 'w' | 's' | '-' | '+' | '*' | '(' | ')' | '[' | ']' | '$'))) => {
                    out.extend(['\\', c]);
                }
                _ => return Some(None),
            },
            c => out.push(c),
        }
    }
    Some(None)
}

//! The conditions of `when:` in definitions and includes. Spack evaluates them as Python; here the forms that
//! sites write are evaluated natively, and anything else is an error of kind `unsupported`, never a guess.

use regex::Regex;

use super::host::{Host, Variables};
use crate::base::{Kind, Result, Trouble};

/// Evaluates a condition: names (`platform`, `os`, `hostname`), `env["X"]`, `env.get("X", "default")`,
/// `==`, `!=`, `in`, `not in`, `and`, `or`, `not`, `re.match` and `re.search`, `startswith` and `endswith`.
pub fn holds(text: &str, host: &Host, vars: &Variables) -> Result<bool> {
    let tokens = tokens(text)?;
    let mut parser = Parser { text, tokens: &tokens, at: 0, host, vars, depth: 0 };
    let value = parser.any()?;
    if parser.at < tokens.len() {
        return Err(parser.not_understood());
    }
    Ok(value.truth())
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Text(String),
    Name(String),
    Sign(&'static str),
}

#[derive(Debug, Clone, PartialEq)]
enum Fact {
    Nothing,
    Bool(bool),
    Text(String),
    /// The mapping of environment variables.
    Variables,
}

impl Fact {
    fn truth(&self) -> bool {
        match self {
            Fact::Nothing => false,
            Fact::Bool(b) => *b,
            Fact::Text(t) => !t.is_empty(),
            Fact::Variables => true,
        }
    }
}

fn unsupported(text: &str) -> Trouble {
    Trouble::new(Kind::Unsupported, format!("the condition '{text}' is not understood"))
        .fact("condition", text)
}

const SIGNS: &[&str] = &["==", "!=", "(", ")", "[", "]", ",", "."];

fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(after) = quoted(rest) {
            let (value, tail) = after.ok_or_else(|| unsupported(text))?;
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
            return Err(unsupported(text));
        }
        rest = rest.trim_start();
    }
    Ok(out)
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

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    host: &'a Host,
    vars: &'a Variables,
    depth: usize,
}

impl Parser<'_> {
    fn not_understood(&self) -> Trouble {
        unsupported(self.text)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn sign(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(n)) if n == word);
        self.at += usize::from(found);
        found
    }

    fn want(&mut self, sign: &str) -> Result<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.not_understood()) }
    }

    /// `a or b`. Both sides are parsed; the value is the first true one, as in Python.
    fn any(&mut self) -> Result<Fact> {
        self.depth += 1;
        if self.depth > 50 {
            return Err(self.not_understood());
        }
        let mut value = self.all()?;
        while self.word("or") {
            let other = self.all()?;
            value = if value.truth() { value } else { other };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn all(&mut self) -> Result<Fact> {
        let mut value = self.negation()?;
        while self.word("and") {
            let other = self.negation()?;
            value = if value.truth() { other } else { value };
        }
        Ok(value)
    }

    fn negation(&mut self) -> Result<Fact> {
        let mut odd = false;
        let mut any = false;
        while self.word("not") {
            odd = !odd;
            any = true;
        }
        let value = self.comparison()?;
        Ok(if any { Fact::Bool(value.truth() != odd) } else { value })
    }

    fn comparison(&mut self) -> Result<Fact> {
        let left = self.operand()?;
        if self.sign("==") {
            let right = self.operand()?;
            return Ok(Fact::Bool(left == right));
        }
        if self.sign("!=") {
            let right = self.operand()?;
            return Ok(Fact::Bool(left != right));
        }
        let negated = matches!(self.tokens.get(self.at..self.at + 2), Some([Token::Name(a), Token::Name(b)]) if a == "not" && b == "in");
        self.at += usize::from(negated);
        if self.word("in") {
            let right = self.operand()?;
            let found = match (&left, &right) {
                (Fact::Text(name), Fact::Variables) => self.vars.contains_key(name),
                (Fact::Text(part), Fact::Text(whole)) => whole.contains(part.as_str()),
                _ => return Err(self.not_understood()),
            };
            return Ok(Fact::Bool(found != negated));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Fact> {
        let mut value = if self.sign("(") {
            let inner = self.any()?;
            self.want(")")?;
            inner
        } else {
            match self.tokens.get(self.at).cloned() {
                Some(Token::Text(text)) => {
                    self.at += 1;
                    Fact::Text(text)
                }
                Some(Token::Name(name)) => {
                    self.at += 1;
                    self.named(&name)?
                }
                _ => return Err(self.not_understood()),
            }
        };
        loop {
            if value == Fact::Variables && self.sign("[") {
                let Fact::Text(name) = self.any()? else { return Err(self.not_understood()) };
                self.want("]")?;
                // Python raises here; a condition that cannot be evaluated is not false.
                value = Fact::Text(self.vars.get(&name).cloned().ok_or_else(|| self.not_understood())?);
            } else if self.sign(".") {
                value = self.method(&value)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn named(&mut self, name: &str) -> Result<Fact> {
        let text = |t: &str| Ok(Fact::Text(t.to_owned()));
        match name {
            "True" => Ok(Fact::Bool(true)),
            "False" => Ok(Fact::Bool(false)),
            "None" => Ok(Fact::Nothing),
            "env" => Ok(Fact::Variables),
            "platform" => text(&self.host.platform),
            "hostname" => text(&self.host.hostname),
            "os" => self.host.os.clone().map(Fact::Text).ok_or_else(|| self.not_understood()),
            "re" => self.regular_expression(),
            _ => Err(self.not_understood()),
        }
    }

    fn regular_expression(&mut self) -> Result<Fact> {
        self.want(".")?;
        let Some(Token::Name(function)) = self.tokens.get(self.at).cloned() else {
            return Err(self.not_understood());
        };
        self.at += 1;
        let arguments = self.arguments()?;
        let [Fact::Text(pattern), Fact::Text(subject)] = arguments.as_slice() else {
            return Err(self.not_understood());
        };
        let pattern = match function.as_str() {
            "search" => pattern.clone(),
            "match" => format!("^(?:{pattern})"),
            "fullmatch" => format!("^(?:{pattern})$"),
            _ => return Err(self.not_understood()),
        };
        let re = Regex::new(&pattern).map_err(|_| self.not_understood())?;
        Ok(Fact::Bool(re.is_match(subject)))
    }

    fn method(&mut self, of: &Fact) -> Result<Fact> {
        let Some(Token::Name(name)) = self.tokens.get(self.at).cloned() else {
            return Err(self.not_understood());
        };
        self.at += 1;
        let arguments = self.arguments()?;
        Ok(match (of, name.as_str(), arguments.as_slice()) {
            (Fact::Variables, "get", [Fact::Text(key)]) => {
                self.vars.get(key).cloned().map_or(Fact::Nothing, Fact::Text)
            }
            (Fact::Variables, "get", [Fact::Text(key), default]) => {
                self.vars.get(key).cloned().map_or_else(|| default.clone(), Fact::Text)
            }
            (Fact::Text(text), "startswith", [Fact::Text(part)]) => {
                Fact::Bool(text.starts_with(part.as_str()))
            }
            (Fact::Text(text), "endswith", [Fact::Text(part)]) => Fact::Bool(text.ends_with(part.as_str())),
            (Fact::Text(text), "lower", []) => Fact::Text(text.to_lowercase()),
            (Fact::Text(text), "upper", []) => Fact::Text(text.to_uppercase()),
            _ => return Err(self.not_understood()),
        })
    }

    fn arguments(&mut self) -> Result<Vec<Fact>> {
        self.want("(")?;
        let mut out = Vec::new();
        while !self.sign(")") {
            if !out.is_empty() {
                self.want(",")?;
            }
            out.push(self.any()?);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn eval(text: &str) -> Result<bool> {
        let s = crate::spack::config::paths::tests::sample();
        let vars = [("SITE", "north"), ("EMPTY", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        holds(text, &s.host, &vars)
    }

    #[test]
    fn the_forms_that_sites_write() {
        let cases = [
            ("platform == 'linux'", true),
            ("os != \"rocky8\"", false),
            ("re.search(r'^login\\d+$', hostname)", true),
            ("re.match('ogin', hostname)", false),
            ("env['SITE'] == 'north'", true),
            ("env.get('NOSUCH') == 'x'", false),
            ("env.get('NOSUCH', 'x') == 'x'", true),
            ("'SITE' in env and 'NOSUCH' not in env", true),
            ("\"SPACK_DISABLE_LOCAL_CONFIG\" not in env", true),
            ("not (platform == 'darwin' or os == 'rocky8')", false),
            ("hostname.startswith('login') and not False", true),
            ("env.get('EMPTY')", false),
            ("'or' in env['SITE']", true),
            ("True", true),
        ];
        for (text, expected) in cases {
            assert_eq!(eval(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn the_rest_is_refused() {
        for text in [
            "arch.satisfies('target=x86_64:')",
            "target == 'zen3'",
            "__import__('os').system('x')",
            "1 < 2",
            "env['NOSUCH'] == 'x'",
            "platform ==",
            "platform == 'linux' extra",
            "'open",
            "",
        ] {
            assert_eq!(eval(text).unwrap_err().kind(), Kind::Unsupported, "{text}");
        }
        assert!(eval(&"(".repeat(10_000)).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "(?s).{0,80}") {
            let _ = eval(&text);
        }
    }
}

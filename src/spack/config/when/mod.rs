//! The conditions of `when:` in definitions and includes. Spack evaluates them as Python; here the forms that
//! sites write are evaluated natively, and anything else is an error of kind `unsupported`, never a guess.
//!
//! ```text
//! { facts, tokens }
//! ```

mod facts;
mod tokens;

use regex::Regex;

use super::host::{Host, Variables};
use crate::base::{Kind, Result, Trouble};
use facts::Fact;
use tokens::{Token, tokens};

/// Evaluates a condition: names (`platform`, `os`, `target`, `hostname`, `arch`), `env["X"]`, `env.get("X", "default")`,
/// `==`, `!=`, `in`, `not in`, `and`, `or`, `not`, lists, `arch.satisfies`, `re.match` and `re.search`, `startswith`
/// and `endswith`. What is not reached, as behind `'X' in env and`, need not be known.
pub fn holds(text: &str, host: &Host, vars: &Variables) -> Result<bool> {
    let tokens = tokens(text).ok_or_else(|| unsupported(text))?;
    let mut parser = Parser { text, tokens: &tokens, at: 0, host, vars, depth: 0 };
    let value = parser.any()?;
    if parser.at < tokens.len() {
        return Err(parser.not_understood());
    }
    value.truth().ok_or_else(|| parser.not_understood())
}

fn unsupported(text: &str) -> Trouble {
    Trouble::new(Kind::Unsupported, format!("the condition '{text}' is not understood"))
        .fact("condition", text)
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
            value = match value.truth() {
                Some(true) => value,
                Some(false) => other,
                None => Fact::Unknown,
            };
        }
        self.depth -= 1;
        Ok(value)
    }

    fn all(&mut self) -> Result<Fact> {
        let mut value = self.negation()?;
        while self.word("and") {
            let other = self.negation()?;
            value = match value.truth() {
                Some(true) => other,
                Some(false) => value,
                None => Fact::Unknown,
            };
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
        Ok(if any { Fact::known(value.truth().map(|truth| truth != odd)) } else { value })
    }

    fn comparison(&mut self) -> Result<Fact> {
        let left = self.operand()?;
        let found = if self.sign("==") {
            left.equals(&self.operand()?, self.host)
        } else if self.sign("!=") {
            left.equals(&self.operand()?, self.host).map(|same| !same)
        } else {
            let negated = matches!(self.tokens.get(self.at..self.at + 2), Some([Token::Name(a), Token::Name(b)]) if a == "not" && b == "in");
            self.at += usize::from(negated);
            if !self.word("in") {
                return Ok(left);
            }
            let found = match (&left, self.operand()?) {
                (Fact::Text(name), Fact::Variables) => Some(self.vars.contains_key(name)),
                (_, right) => left.is_in(&right, self.host),
            };
            found.map(|found| found != negated)
        };
        Ok(Fact::known(found))
    }

    fn operand(&mut self) -> Result<Fact> {
        let mut value = if self.sign("(") {
            self.parenthesis()?
        } else if self.sign("[") {
            Fact::List(self.items("]")?)
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
                value = self.vars.get(&name).cloned().map_or(Fact::Unknown, Fact::Text);
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
            "os" => Ok(self.os()),
            "target" => Ok(Fact::Target),
            "arch" | "architecture" => Ok(Fact::Arch),
            "arch_str" => Ok(Fact::Unknown),
            "re" => self.regular_expression(),
            _ => Err(self.not_understood()),
        }
    }

    fn os(&self) -> Fact {
        self.host.os.as_deref().map_or(Fact::Unknown, Fact::text)
    }

    /// One value, or several with commas, which are a list.
    fn parenthesis(&mut self) -> Result<Fact> {
        if self.sign(")") {
            return Ok(Fact::List(Vec::new()));
        }
        let first = self.any()?;
        if self.sign(")") {
            return Ok(first);
        }
        self.want(",")?;
        let mut all = vec![first];
        all.extend(self.items(")")?);
        Ok(Fact::List(all))
    }

    fn regular_expression(&mut self) -> Result<Fact> {
        self.want(".")?;
        let Some(Token::Name(function)) = self.tokens.get(self.at).cloned() else {
            return Err(self.not_understood());
        };
        self.at += 1;
        let arguments = self.arguments()?;
        let (pattern, subject) = match arguments.as_slice() {
            [Fact::Text(pattern), Fact::Text(subject)] => (pattern, subject),
            [Fact::Text(_), Fact::Unknown | Fact::Target] => return Ok(Fact::Unknown),
            _ => return Err(self.not_understood()),
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
        match (of, name.as_str()) {
            (Fact::Arch, "target") => return Ok(Fact::Target),
            (Fact::Arch, "os") => return Ok(self.os()),
            (Fact::Arch, "platform") => return Ok(Fact::text(&self.host.platform)),
            _ => {}
        }
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
            (Fact::Arch, "satisfies", [Fact::Text(wanted)]) => {
                Fact::known(facts::satisfies(wanted, self.host))
            }
            (Fact::Unknown | Fact::Target, "startswith" | "endswith" | "lower" | "upper", _) => Fact::Unknown,
            (Fact::Text(text), "lower", []) => Fact::Text(text.to_lowercase()),
            (Fact::Text(text), "upper", []) => Fact::Text(text.to_uppercase()),
            _ => return Err(self.not_understood()),
        })
    }

    fn arguments(&mut self) -> Result<Vec<Fact>> {
        self.want("(")?;
        self.items(")")
    }

    /// Values with commas between them, and maybe behind the last.
    fn items(&mut self, end: &str) -> Result<Vec<Fact>> {
        let mut out = Vec::new();
        while !self.sign(end) {
            if !out.is_empty() {
                self.want(",")?;
                if self.sign(end) {
                    break;
                }
            }
            out.push(self.any()?);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;

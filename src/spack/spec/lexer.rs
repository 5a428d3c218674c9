//! Cuts spec text into tokens, with Spack's own precedence: the same characters must be the same token
//! here and there, or a query would silently mean something else.

use std::ops::Range;

use crate::base::{Kind, Result, Trouble};

use super::Dialect;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token<'a> {
    /// `^[` or `%[`.
    StartEdge {
        direct: bool,
    },
    /// `]`, and the assignment `c,cxx=gcc` where one follows.
    EndEdge(Option<Assignment<'a>>),
    /// `^` or `%`, and the assignment where one follows.
    Dependency {
        direct: bool,
        assignment: Option<Assignment<'a>>,
    },
    /// Up to 0.23: `%gcc` with what follows `@`.
    Compiler {
        name: &'a str,
        versions: Option<&'a str>,
    },
    /// What follows `@`.
    Version(&'a str),
    Bool {
        name: &'a str,
        on: bool,
        propagate: bool,
    },
    KeyValue {
        name: &'a str,
        value: String,
        exact: bool,
        propagate: bool,
    },
    /// A name with its namespace.
    Name(&'a str),
    /// `*`, which names nothing.
    Star,
    Hash(&'a str),
}

/// `c,cxx=gcc`: the virtuals and the package that stands for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment<'a> {
    pub virtuals: &'a str,
    pub package: &'a str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<'a> {
    pub token: Token<'a>,
    /// Byte offsets.
    pub start: usize,
    pub end: usize,
}

/// An error that shows where.
pub fn trouble_at(kind: Kind, text: &str, at: usize, message: impl Into<String>) -> Trouble {
    let column = text.get(..at).map_or(0, |t| t.chars().count()) + 1;
    Trouble::new(kind, format!("{} (column {column} of '{text}')", message.into()))
        .fact("column", column)
        .fact("spec", text)
}

/// Refuses the paths of spec files: who knows files has put something else in their place.
pub fn tokens(text: &str, dialect: Dialect) -> Result<Vec<Placed<'_>>> {
    scan(text, dialect, |file| {
        let word = text.get(file.clone()).unwrap_or_default();
        let message = format!("a spec file cannot be read here: '{word}'");
        Err(trouble_at(Kind::Unsupported, text, file.start, message)
            .hint("write the spec, or '/' and its hash"))
    })
}

/// Where paths of spec files stand in the place of specs.
pub fn files(text: &str, dialect: Dialect) -> Result<Vec<Range<usize>>> {
    let mut found = Vec::new();
    scan(text, dialect, |file| {
        found.push(file);
        Ok(())
    })?;
    Ok(found)
}

fn scan(
    text: &str,
    dialect: Dialect,
    mut on_file: impl FnMut(Range<usize>) -> Result<()>,
) -> Result<Vec<Placed<'_>>> {
    let mut out = Vec::new();
    let mut at = 0;
    // How far the text was looked at for paths: a long word must not be looked at again from each of its tokens.
    let mut looked = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let blank = rest.len() - rest.trim_start().len();
        if blank > 0 {
            at += blank;
            continue;
        }
        if at >= looked {
            let (length, is_file) = path(rest);
            looked = at + length;
            if is_file {
                on_file(at..looked)?;
                at = looked;
                continue;
            }
        }
        let mut cursor = Cursor { rest, dialect };
        let Some(token) = cursor.token() else {
            return Err(unexpected(text, at, rest));
        };
        let end = text.len() - cursor.rest.len();
        out.push(Placed { token, start: at, end });
        at = end;
    }
    Ok(out)
}

fn unexpected(text: &str, at: usize, rest: &str) -> Trouble {
    let found = rest.chars().next().unwrap_or(' ');
    let trouble = trouble_at(Kind::Usage, text, at, format!("unexpected '{found}' in a spec"));
    match found {
        '@' => trouble.hint("a version follows '@', as in '@1.2', '@1.2:1.4' or '@=1.2.3'"),
        '%' => trouble.hint("a compiler follows '%', as in '%gcc@12'"),
        '+' | '~' | '-' => {
            trouble.hint(format!("the name of a variant follows '{found}', as in '{found}mpi'"))
        }
        '/' => trouble.hint("a hash follows '/', as in '/abc1234'"),
        '=' => trouble.hint("variants are written 'name=value', without blanks"),
        '\'' | '"' => trouble.hint("quotes stand around a value, as in cflags='-O3 -g'"),
        _ => trouble,
    }
}

/// The length of the word that could be a path, and whether it is that of a spec file.
fn path(rest: &str) -> (usize, bool) {
    let word = run(rest, |c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    let begins = word.starts_with(['.', '/']) || word.contains('/');
    let file = [".json", ".yaml"].iter().any(|end| word.ends_with(end));
    let key = rest.get(word.len()..).is_some_and(|tail| tail.starts_with(['=', ':']));
    (word.len(), begins && file && !key)
}

fn run(text: &str, of: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c| !of(c)).unwrap_or(text.len());
    text.split_at(end).0
}

fn word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn identifier(text: &str) -> Option<&str> {
    let found = run(text, |c| word_char(c) || c == '-');
    found.starts_with(word_char).then_some(found)
}

/// `builtin.hdf5` or `hdf5`; a dot must be followed by an identifier to belong to it.
fn dotted(text: &str) -> Option<&str> {
    let mut end = identifier(text)?.len();
    while let Some(next) = text.get(end..).and_then(|t| t.strip_prefix('.')).and_then(identifier) {
        end += 1 + next.len();
    }
    text.get(..end)
}

fn name(text: &str) -> Option<&str> {
    let found = run(text, |c| word_char(c) || c == '-' || c == '.');
    found.starts_with(word_char).then_some(found)
}

struct Cursor<'a> {
    rest: &'a str,
    dialect: Dialect,
}

impl<'a> Cursor<'a> {
    fn token(&mut self) -> Option<Token<'a>> {
        let first = self.rest.chars().next()?;
        match first {
            '^' | '%' => self.sigil(first),
            ']' => {
                self.skip(1);
                let assignment = self.assignment();
                Some(Token::EndEdge(assignment))
            }
            '@' => {
                self.skip(1);
                self.version()
            }
            '+' | '~' | '-' => self.boolean(first),
            '/' => {
                let hash = run(self.rest.get(1..)?, word_char);
                self.skip(1 + hash.len());
                (!hash.is_empty()).then_some(Token::Hash(hash))
            }
            '*' if self.dialect == Dialect::Direct => {
                self.skip(1);
                Some(Token::Star)
            }
            _ => self.key_value().or_else(|| {
                let name = dotted(self.rest)?;
                self.skip(name.len());
                Some(Token::Name(name))
            }),
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or("");
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn sigil(&mut self, first: char) -> Option<Token<'a>> {
        let direct = first == '%';
        if direct && self.dialect == Dialect::Compiler {
            return self.compiler();
        }
        let length = if self.rest.starts_with("%%") { 2 } else { 1 };
        self.skip(length);
        if self.rest.starts_with('[') {
            self.skip(1);
            return Some(Token::StartEdge { direct });
        }
        let assignment = self.assignment();
        Some(Token::Dependency { direct, assignment })
    }

    fn compiler(&mut self) -> Option<Token<'a>> {
        self.skip(1);
        self.blanks();
        let name = name(self.rest)?;
        self.skip(name.len());
        let mut ahead = Cursor { rest: self.rest.trim_start(), dialect: self.dialect };
        if ahead.rest.starts_with('@') {
            ahead.skip(1);
            ahead.blanks();
            let versions = ahead.version_list()?;
            self.rest = ahead.rest;
            return Some(Token::Compiler { name, versions: Some(versions) });
        }
        Some(Token::Compiler { name, versions: None })
    }

    fn assignment(&mut self) -> Option<Assignment<'a>> {
        if self.dialect == Dialect::Compiler {
            return None;
        }
        let text = self.rest.trim_start();
        let mut end = identifier(text)?.len();
        while let Some(next) = text.get(end..).and_then(|t| t.strip_prefix(',')).and_then(identifier) {
            end += 1 + next.len();
        }
        let (virtuals, tail) = text.split_at_checked(end)?;
        let package = dotted(tail.strip_prefix('=')?)?;
        self.rest = tail.get(1 + package.len()..).unwrap_or("");
        Some(Assignment { virtuals, package })
    }

    fn version(&mut self) -> Option<Token<'a>> {
        if let Some(length) = git_version(self.rest) {
            let found = self.rest.get(..length)?;
            self.skip(length);
            return Some(Token::Version(found));
        }
        self.blanks();
        self.version_list().map(Token::Version)
    }

    fn version_list(&mut self) -> Option<&'a str> {
        let text = self.rest;
        let mut end = version_or_range(text)?;
        while let Some(tail) = text.get(end..).and_then(|t| t.trim_start().strip_prefix(',')) {
            let tail = tail.trim_start();
            let Some(length) = version_or_range(tail) else { break };
            end = text.len() - tail.len() + length;
        }
        self.skip(end);
        text.get(..end)
    }

    fn boolean(&mut self, first: char) -> Option<Token<'a>> {
        let doubled = self.rest.get(1..)?.starts_with(first);
        let length = if doubled { 2 } else { 1 };
        let name = name(self.rest.get(length..)?.trim_start())?;
        self.skip(length);
        self.blanks();
        self.skip(name.len());
        Some(Token::Bool { name, on: first == '+', propagate: doubled })
    }

    fn key_value(&mut self) -> Option<Token<'a>> {
        let name = name(self.rest)?;
        let tail = self.rest.get(name.len()..)?;
        let (exact, tail) = tail.strip_prefix(':').map_or((false, tail), |t| (true, t));
        let tail = tail.strip_prefix('=')?;
        let (propagate, tail) = match tail.strip_prefix('=') {
            Some(rest) if value(rest, self.dialect).is_some() => (true, rest),
            _ => (false, tail),
        };
        let (value, length) = value(tail, self.dialect)?;
        self.rest = tail.get(length..).unwrap_or("");
        Some(Token::KeyValue { name, value, exact, propagate })
    }
}

/// A bare or quoted value, and how many bytes it takes.
fn value(text: &str, dialect: Dialect) -> Option<(String, usize)> {
    let also = if dialect == Dialect::Direct { "%^" } else { "" };
    let bare = run(text, |c| word_char(c) || "-+*.,:=~/\\".contains(c) || also.contains(c));
    if !bare.is_empty() {
        return Some((bare.to_owned(), bare.len()));
    }
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = text.get(1..)?;
    let mut closing = None;
    for (at, _) in inner.match_indices(quote) {
        closing = Some(at);
        if !inner.get(..at).is_some_and(|before| before.ends_with('\\')) {
            break;
        }
    }
    let closing = closing?;
    let plain = inner.get(..closing)?.replace(&format!("\\{quote}"), &quote.to_string());
    Some((plain, closing + 2))
}

/// The length of `git.REF` or of 40 hexadecimal digits.
fn git_length(text: &str) -> Option<usize> {
    if let Some(reference) = text.strip_prefix("git.") {
        let found = run(reference, |c| word_char(c) || "./-".contains(c));
        return found.starts_with(word_char).then_some(4 + found.len());
    }
    let commit = text.get(..40)?;
    commit.bytes().all(|b| b.is_ascii_hexdigit()).then_some(40)
}

/// The length of a git version at the beginning, with the version that it stands for: `git.REF=1.2`. After `@` and a
/// blank there is none; the same letters are an ordinary version then.
pub(in crate::spack) fn git_version(text: &str) -> Option<usize> {
    let length = git_length(text)?;
    let version = text.get(length..)?.strip_prefix('=').map(|t| version_word(t).len()).filter(|n| *n > 0);
    Some(length + version.map_or(0, |n| n + 1))
}

/// A version, which ends with a letter, digit or underscore.
fn version_word(text: &str) -> &str {
    let sign = usize::from(text.starts_with('='));
    let Some(found) = text.get(sign..).and_then(name) else { return "" };
    text.get(..sign + found.trim_end_matches(['-', '.']).len()).unwrap_or("")
}

fn version_or_range(text: &str) -> Option<usize> {
    let low = version_word(text).len();
    let Some(after) = text.get(low..).and_then(|t| t.strip_prefix(':')) else {
        return (low > 0).then_some(low);
    };
    // `@1.2:name=value` is an open range and then a variant.
    let mut high = version_word(after);
    while !high.is_empty() && after.get(high.len()..).is_some_and(|t| t.trim_start().starts_with('=')) {
        let shorter = high.rfind(['-', '.']).and_then(|at| high.get(..at)).unwrap_or("");
        high = shorter.trim_end_matches(['-', '.']);
    }
    Some(low + 1 + high.len())
}

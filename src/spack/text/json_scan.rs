//! Passes over JSON text and checks it on the way, without building anything: what somebody wants is given as a
//! slice of the text, and what was checked once need not be checked again where the same text follows.

use std::borrow::Cow;

/// As deep as Spack's files never are; deeper text is refused instead of running out of stack.
const DEEPEST: usize = 100;

/// Where the text is not as it should be, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Counted in bytes from the beginning of the text.
    pub at: usize,
    pub what: Cow<'static, str>,
}

/// A place in JSON text. Everything before it was checked.
#[derive(Debug, Clone)]
pub struct Skim<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Skim<'a> {
    pub fn new(text: &'a str) -> Self {
        Skim { text, at: 0 }
    }

    /// The place, in bytes.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn flaw(&self, what: impl Into<Cow<'static, str>>) -> Flaw {
        Flaw { at: self.at, what: what.into() }
    }

    fn wanted(&self, what: &'static str) -> Flaw {
        self.flaw(if self.at < self.text.len() { what } else { CUT_OFF })
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next byte that is not white space.
    fn next(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
        self.byte()
    }

    fn take(&mut self, wanted: u8, otherwise: &'static str) -> Result<(), Flaw> {
        if self.next() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(self.wanted(otherwise))
    }

    /// Nothing but white space may be left.
    pub fn end(&mut self) -> Result<(), Flaw> {
        self.next().map_or(Ok(()), |_| Err(self.flaw("something stands after the end")))
    }

    /// Passes over a value and gives its text.
    pub fn value(&mut self) -> Result<&'a str, Flaw> {
        self.next();
        let begin = self.at;
        self.pass(0)?;
        Ok(self.since(begin))
    }

    /// Passes over what stands here if it is exactly `seen`, the text of a whole value that was checked before.
    pub fn same(&mut self, seen: &str) -> bool {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let same = !seen.is_empty() && rest.starts_with(seen.as_bytes());
        if same {
            self.at += seen.len();
        }
        same
    }

    /// Calls `each` for every key of an object; it has to pass over the value. Keys with escapes, which Spack does
    /// not write, are refused.
    pub fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, &'a str) -> Result<(), Flaw>,
    ) -> Result<(), Flaw> {
        self.take(b'{', "an object is expected")?;
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let Cow::Borrowed(key) = self.string()? else {
                return Err(self.flaw("a key is written with escapes"));
            };
            self.take(b':', "':' is expected")?;
            self.next();
            each(self, key)?;
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.wanted("',' or '}' is expected")),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// A string, borrowed where it holds no escapes.
    pub fn string(&mut self) -> Result<Cow<'a, str>, Flaw> {
        self.take(b'"', "a string is expected")?;
        let begin = self.at;
        let escaped = self.pass_string()?;
        let inner = self.text.get(begin..self.at - 1).unwrap_or_default();
        if !escaped {
            return Ok(Cow::Borrowed(inner));
        }
        let quoted = self.since(begin - 1);
        serde_json::from_str(quoted)
            .map(Cow::Owned)
            .map_err(|_| Flaw { at: begin, what: Cow::Borrowed("an escape stands for no character") })
    }

    /// The text from an earlier place up to here.
    pub fn since(&self, begin: usize) -> &'a str {
        self.text.get(begin..self.at).unwrap_or_default()
    }

    fn pass(&mut self, depth: usize) -> Result<(), Flaw> {
        if depth > DEEPEST {
            return Err(self.flaw("too deeply nested"));
        }
        match self.next() {
            Some(b'"') => {
                self.at += 1;
                self.pass_string().map(|_| ())
            }
            Some(b'{') => self.pass_members(b'}', depth, "',' or '}' is expected"),
            Some(b'[') => self.pass_members(b']', depth, "',' or ']' is expected"),
            Some(b'-' | b'0'..=b'9') => self.pass_number(),
            Some(b't') => self.pass_word("true"),
            Some(b'f') => self.pass_word("false"),
            Some(b'n') => self.pass_word("null"),
            _ => Err(self.wanted("a value is expected")),
        }
    }

    /// The rest of an object or a list, which ends with `close`.
    fn pass_members(&mut self, close: u8, depth: usize, otherwise: &'static str) -> Result<(), Flaw> {
        self.at += 1;
        if self.next() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            if close == b'}' {
                self.take(b'"', "a key is expected")?;
                self.pass_string()?;
                self.take(b':', "':' is expected")?;
            }
            self.pass(depth + 1)?;
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b) if b == close => break,
                _ => return Err(self.wanted(otherwise)),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// The rest of a string and its closing quote; tells whether it holds escapes.
    fn pass_string(&mut self) -> Result<bool, Flaw> {
        let mut escaped = false;
        loop {
            self.pass_plain();
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.pass_escape()?;
                }
                _ => return Err(self.wanted("a control character stands in a string")),
            }
        }
    }

    /// Up to the next byte that means something in a string, eight at a time.
    fn pass_plain(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(chunk) = bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let special = special_bytes(u64::from_le_bytes(*chunk));
            if special != 0 {
                self.at += (special.trailing_zeros() / 8) as usize;
                return;
            }
            self.at += 8;
        }
        while self.byte().is_some_and(|b| b != b'"' && b != b'\\' && b >= 0x20) {
            self.at += 1;
        }
    }

    fn pass_escape(&mut self) -> Result<(), Flaw> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.byte().is_some_and(|b| b.is_ascii_hexdigit()) {
                        return Err(self.wanted("four hexadecimal digits are expected"));
                    }
                    self.at += 1;
                }
            }
            _ => return Err(self.wanted("there is no such escape")),
        }
        Ok(())
    }

    fn pass_number(&mut self) -> Result<(), Flaw> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.pass_digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.pass_digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.pass_digits()?;
        }
        Ok(())
    }

    fn pass_digits(&mut self) -> Result<(), Flaw> {
        let begin = self.at;
        while self.byte().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == begin { Err(self.wanted("a digit is expected")) } else { Ok(()) }
    }

    fn pass_word(&mut self, word: &'static str) -> Result<(), Flaw> {
        for wanted in word.bytes() {
            if self.byte() != Some(wanted) {
                return Err(self.wanted("a value is expected"));
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// What is said of text that ends before its last value does.
pub const CUT_OFF: &str = "the file ends too early; it was cut off";

/// The high bit of each byte that is a quote, a backslash or a control character. Bytes above the first such may
/// be marked although they are not.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (is(b'"') | is(b'\\') | below(word, 0x20)) & HIGH
}

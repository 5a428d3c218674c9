//! How the stand-in ends early: the text after `==> Error:` and the exit code that Spack would give. Errors of
//! the files underneath become Spack's "any other exception", code 3.

use crate::base::{Kind, Trouble};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    pub code: u8,
    /// Nothing is printed when it is empty.
    pub text: String,
}

impl Halt {
    /// An error that Spack knows: code 1.
    pub fn failed(text: impl Into<String>) -> Halt {
        Halt { code: 1, text: text.into() }
    }

    /// An exception that Spack did not expect: code 3.
    pub fn internal(text: impl Into<String>) -> Halt {
        Halt { code: 3, text: text.into() }
    }

    /// Everything is said already.
    pub fn silent(code: u8) -> Halt {
        Halt { code, text: String::new() }
    }
}

impl From<Trouble> for Halt {
    fn from(trouble: Trouble) -> Halt {
        let code = if matches!(trouble.kind(), Kind::UnknownFormat | Kind::Corrupt) { 1 } else { 3 };
        Halt { code, text: trouble.message().to_owned() }
    }
}

impl From<std::io::Error> for Halt {
    /// Only the output streams give these; a closed pipe ends quietly.
    fn from(_: std::io::Error) -> Halt {
        Halt::silent(141)
    }
}

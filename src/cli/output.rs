//! Where a command's results and errors go.

use std::io::Write as _;

use serde_json::Value;

use super::args::Global;
use crate::base::{Kind, Result, Trouble};

/// Decides once what is printed and how.
#[derive(Debug, Clone)]
pub struct Output {
    json: bool,
}

impl Output {
    pub fn new(global: &Global) -> Self {
        Output { json: global.json }
    }

    pub fn json(&self) -> bool {
        self.json
    }

    /// One line of result.
    pub fn line(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.write_all(b"\n"))
            .map_err(|e| Trouble::new(Kind::Io, format!("cannot write to standard output: {e}")).caused_by(e))
    }

    /// A result value.
    pub fn value(&self, value: &Value) -> Result<()> {
        self.line(&value.to_string())
    }

    /// Tells an error and gives the exit code.
    pub fn fail(&self, trouble: &Trouble) -> u8 {
        eprintln!("error: {trouble}");
        trouble.kind().exit_code()
    }
}

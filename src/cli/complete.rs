//! Shell completion scripts.

use super::args;
use super::output::Output;
use crate::base::Result;

pub fn script(shell: clap_complete::Shell, output: &Output) -> Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "moonstack", &mut text);
    output.line(String::from_utf8_lossy(&text).trim_end())?;
    Ok(0)
}

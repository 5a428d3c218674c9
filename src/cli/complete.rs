//! Shell completion scripts.

use super::args;
use crate::base::Result;
use crate::term::printer::Printer;

pub fn script(shell: clap_complete::Shell, printer: &Printer) -> Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut args::command(), "moonstack", &mut text);
    printer.result(String::from_utf8_lossy(&text).trim_end())?;
    Ok(0)
}

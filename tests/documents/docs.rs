//! The README's and the documentation's console blocks show what the executable prints.

use libtest_mimic::Trial;

use crate::common::trial::trial;

pub fn trials() -> Vec<Trial> {
    vec![trial("docs::console_blocks_are_true", None, console_blocks)]
}

fn console_blocks() {
    let home = tempfile::tempdir().unwrap();
    trycmd::TestCases::new()
        .env("HOME", home.path().display().to_string())
        .env("XDG_STATE_HOME", home.path().display().to_string())
        .env("XDG_CONFIG_HOME", home.path().display().to_string())
        .case("README.md")
        .case("tests/cli/*.md");
}

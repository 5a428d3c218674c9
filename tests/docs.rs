//! The README's and the documentation's console blocks show what the executable prints.

#[test]
fn console_blocks_are_true() {
    let home = tempfile::tempdir().unwrap();
    trycmd::TestCases::new()
        .env("HOME", home.path().display().to_string())
        .env("XDG_STATE_HOME", home.path().display().to_string())
        .env("XDG_CONFIG_HOME", home.path().display().to_string())
        .case("README.md")
        .case("tests/cli/*.md");
}

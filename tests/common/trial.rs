//! Tests of the programs that keep a list of them. What a machine lacks stands beside each: a test that cannot run is
//! reported as ignored with the reason, and never as passed.

use libtest_mimic::{Failed, Trial};

/// What is not there, in a few words; none if the test can run.
pub type Lack = Option<String>;

/// How a test ends: it panics, or it says so.
pub trait Verdict {
    fn verdict(self) -> Result<(), Failed>;
}

impl Verdict for () {
    fn verdict(self) -> Result<(), Failed> {
        Ok(())
    }
}

impl Verdict for Result<(), Failed> {
    fn verdict(self) -> Result<(), Failed> {
        self
    }
}

pub fn trial<V: Verdict>(
    name: impl Into<String>,
    lack: Lack,
    run: impl FnOnce() -> V + Send + 'static,
) -> Trial {
    match lack {
        None => Trial::test(name, move || run().verdict()),
        // Who asks for the ignored ones is told why as well.
        Some(lack) => {
            let why = Failed::from(&lack);
            Trial::test(name, || Err(why)).with_kind(lack).with_ignored_flag(true)
        }
    }
}

/// A program on the path.
pub fn program(name: &str) -> Lack {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    (!there).then(|| format!("no {name}"))
}

//! Every file of `tests/lua` is a test: it runs on a machine of its own and passes if it raises nothing.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;

use crate::common::{Bench, shown};

pub fn trials() -> Vec<Trial> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lua");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "lua"))
        .collect();
    files.sort();
    let one = |file: PathBuf| {
        let name = format!("lua::{}", file.file_stem().unwrap().to_string_lossy());
        Trial::test(name, move || run(&file))
    };
    files.into_iter().map(one).collect()
}

fn run(file: &Path) -> Result<(), libtest_mimic::Failed> {
    let modules = file.parent().unwrap().join("modules");
    let bench = Bench::new(&[&modules]);
    let text = std::fs::read_to_string(file).unwrap();
    let name = format!("tests/lua/{}", file.file_name().unwrap().to_string_lossy());
    bench.run(&name, &text).map(drop).map_err(|t| shown(&t).into())
}

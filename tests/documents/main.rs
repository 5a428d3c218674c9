//! What is written for people is true: the console blocks of the README and of `tests/cli`, the generated reference,
//! every primitive's example, the Lua files of `tests/lua`, and the types of what is bundled.

#[allow(dead_code)] // A part of the helpers is for the other programs.
#[path = "../common/mod.rs"]
mod common;
mod docs;
mod generated;
mod lua;
mod primitives;
mod types;

use libtest_mimic::Arguments;

fn main() {
    let trials = [docs::trials(), generated::trials(), types::trials(), lua::trials(), primitives::trials()];
    libtest_mimic::run(&Arguments::from_args(), trials.into_iter().flatten().collect()).exit();
}

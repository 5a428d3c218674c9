//! The tests that need nothing but the executable and what every machine has: a shell, `git`, `/proc`. Each module is
//! one subject; `cargo test --test hermetic killed::` runs one of them.

mod apart;
mod cancel;
mod checks;
mod command_line;
#[allow(dead_code)] // A part of the helpers is for the other programs.
#[path = "../common/mod.rs"]
mod common;
mod effort;
mod errors;
mod exit_codes;
mod faults;
mod foundation;
mod generations;
mod instances;
mod killed;
mod layers;
mod limits;
mod mutations;
mod outputs;
mod planned;
mod policies;
mod practice;
mod printed;
mod programs;
mod progress;
mod reading;
mod recorded;
mod repl;
mod resume;
mod run_ends;
mod site_tests;
mod snapshots;
mod specs;
mod together;
mod upgrades;
mod verbs;

//! The Rhai engine: only what an expression needs, and nothing that waits, prints or evaluates text. Built when
//! the first expression is compiled, so a command that asks no policy does not pay for it.

use std::sync::LazyLock;

use rhai::Engine;
use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage,
    LogicPackage, MoreStringPackage, Package,
};

/// Steps of one evaluation. A policy that reads like a sentence takes a few dozen.
const OPERATIONS: u64 = 20_000;
/// Levels of brackets and operators within each other.
const DEPTH: usize = 32;
/// Bytes of a text, whether written or made.
pub const TEXT: usize = 4096;
/// Entries of a list or table.
const ENTRIES: usize = 1024;

/// Named here although most of them are also left out at build time: a crate that shares the build may turn a
/// feature on again, and none of these is off by itself.
const DISABLED: &[&str] = &[
    "eval",
    "print",
    "debug",
    "Fn",
    "call",
    "curry",
    "is_def_var",
    "is_def_fn",
    "type_of",
    "while",
    "loop",
    "for",
    "do",
    "until",
    "let",
    "const",
    "fn",
    "import",
    "export",
    "return",
    "throw",
    "try",
    "break",
    "continue",
    "this",
];

/// The one engine of the process; evaluation does not change it.
pub fn engine() -> &'static Engine {
    static ENGINE: LazyLock<Engine> = LazyLock::new(build);
    &ENGINE
}

fn build() -> Engine {
    let mut engine = Engine::new_raw();
    // The core package of Rhai stays out: nothing in it serves an expression, and its `sleep` and `exit` would
    // pass every limit below. So do iterators and function pointers.
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    // What takes a fraction takes a whole number too.
    engine.register_fn("sqrt", |n: i64| (n as f64).sqrt());
    engine.register_fn("floor", |n: i64| n);
    engine.register_fn("ceiling", |n: i64| n);
    engine.register_fn("round", |n: i64| n);

    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_allow_looping(false);
    engine.set_allow_loop_expressions(false);
    engine.set_allow_statement_expression(false);
    engine.set_allow_shadowing(false);
    engine.set_max_operations(OPERATIONS);
    engine.set_max_expr_depths(DEPTH);
    engine.set_max_string_size(TEXT);
    engine.set_max_array_size(ENTRIES);
    engine.set_max_map_size(ENTRIES);
    for symbol in DISABLED {
        engine.disable_symbol(*symbol);
    }
    engine
}

//! What specs and versions mean changed with Spack 1.0.

/// How `%` is read, and which words are versions above all numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Up to 0.23: `%gcc` names the compiler of its node, and what follows still belongs to that node.
    Compiler,
    /// From 1.0: `%gcc` is a direct dependency, and what follows belongs to it.
    Direct,
}

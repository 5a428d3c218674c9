//! Which Spack is played, and how a practice installation is known.

/// The Spack release that is played.
pub const VERSION: &str = "1.1.0";

/// The line by which a practice installation is known.
pub const MARKER: &str = "# This is moonstack's practice stand-in for Spack, not Spack.";

//! The words by which Spack tells what kind of failure it met.

use crate::base::Kind;

/// Telling words, most telling first; later ones appear around the earlier.
const SIGNS: &[(Kind, &[&str])] = &[
    (Kind::Disk, &["No space left on device", "Disk quota exceeded", "[Errno 28]", "[Errno 122]"]),
    (Kind::Lock, &["Timed out waiting for a", "LockTimeoutError", "LockPermissionError"]),
    (
        Kind::Fetch,
        &[
            "FetchError",
            "All fetchers failed",
            "ChecksumError",
            "sha256 checksum failed",
            "No binary found when cache-only",
            "NoVerifyException",
            "unable to verify any of them",
            "URLError",
            "FetchCacheError",
            "no binary available",
        ],
    ),
    (
        Kind::Concretization,
        &[
            "failed to concretize",
            "cannot concretize",
            "concretizer internal error",
            "No version exists that satisfies",
            "No matching version for constraint",
            "cannot match any known version",
            "only be satisfied by deprecated versions",
            "is not a possible dependency of",
            "cannot emit requirements for the solver",
            "No such variant",
            "UnsatisfiableSpecError",
            "is unsatisfiable",
            "PackageNotFoundError",
            "Cannot build package",
            "could be found to match",
            "Use 'spack create' to create",
        ],
    ),
    (
        Kind::NotFound,
        &[
            "does not match any installed packages",
            "No package matches",
            "no matching specs are in the current",
        ],
    ),
    (Kind::Permission, &["Permission denied", "PermissionError", "[Errno 13]", "Read-only file system"]),
    (Kind::Signal, &["Keyboard interrupt", "KeyboardInterrupt"]),
    (
        Kind::Build,
        &[
            "ProcessError",
            "InstallError",
            "found in build log",
            "See build log for details",
            "Failed to install",
            "failed to install",
            "Package was not installed",
            "Terminating after first install failure",
        ],
    ),
];

/// The kind that a text tells of.
pub fn kind_of(text: &str) -> Option<Kind> {
    SIGNS.iter().find(|(_, signs)| signs.iter().any(|sign| text.contains(sign))).map(|(kind, _)| *kind)
}

//! The one error type. A [`Kind`] is the contract with scripts (`e.kind`), exit codes and monitors; the
//! message says in the user's terms what is wrong; hints say what to do; facts are data.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

/// What went wrong, by name. The snake-case name is part of the public contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The call, command line or script option is wrong.
    Usage,
    /// A name that nothing has: function, option, global, check, workflow, field.
    UnknownName,
    /// A configuration or site file cannot be used.
    Configuration,
    /// No Spack installation was found, or it is not one.
    NoSpack,
    /// A file format version that this build does not know.
    UnknownFormat,
    /// A file is damaged.
    Corrupt,
    /// The request is understood, but this build does not support it.
    Unsupported,
    /// A script does not parse, or raised something that is not one of ours.
    Script,
    /// There is no such spec, environment, file.
    NotFound,
    /// Several things match where one was wanted.
    Ambiguous,
    /// It exists already.
    Exists,
    /// A guard refused; nothing was changed.
    Refused,
    /// Another instance is running.
    Busy,
    /// The user or a parent scope cancelled.
    Cancelled,
    /// A time limit ran out.
    Timeout,
    /// A script needs more memory than it may have, or a value is nested too deep.
    Limit,
    /// Sources or binaries could not be fetched.
    Fetch,
    /// The solver found no solution.
    Concretization,
    /// A package failed to build.
    Build,
    /// A lock could not be had.
    Lock,
    /// A file system is full.
    Disk,
    /// The operating system denied access.
    Permission,
    /// A program was ended by a signal.
    Signal,
    /// A program failed in a way that has no better name.
    Program,
    /// A server could not be reached or answered with an error.
    Network,
    /// Reading or writing failed.
    Io,
    /// What was observed afterwards is not what was asked for.
    NotDone,
    /// A fault of this program.
    Internal,
}

impl Kind {
    /// Every kind, in the order of the documentation.
    pub const ALL: &'static [Kind] = &[
        Kind::Usage,
        Kind::UnknownName,
        Kind::Configuration,
        Kind::NoSpack,
        Kind::UnknownFormat,
        Kind::Corrupt,
        Kind::Unsupported,
        Kind::Script,
        Kind::NotFound,
        Kind::Ambiguous,
        Kind::Exists,
        Kind::Refused,
        Kind::Busy,
        Kind::Cancelled,
        Kind::Timeout,
        Kind::Limit,
        Kind::Fetch,
        Kind::Concretization,
        Kind::Build,
        Kind::Lock,
        Kind::Disk,
        Kind::Permission,
        Kind::Signal,
        Kind::Program,
        Kind::Network,
        Kind::Io,
        Kind::NotDone,
        Kind::Internal,
    ];

    /// The name that scripts compare with.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Usage => "usage",
            Kind::UnknownName => "unknown_name",
            Kind::Configuration => "configuration",
            Kind::NoSpack => "no_spack",
            Kind::UnknownFormat => "unknown_format",
            Kind::Corrupt => "corrupt",
            Kind::Unsupported => "unsupported",
            Kind::Script => "script",
            Kind::NotFound => "not_found",
            Kind::Ambiguous => "ambiguous",
            Kind::Exists => "exists",
            Kind::Refused => "refused",
            Kind::Busy => "busy",
            Kind::Cancelled => "cancelled",
            Kind::Timeout => "timeout",
            Kind::Limit => "limit",
            Kind::Fetch => "fetch",
            Kind::Concretization => "concretization",
            Kind::Build => "build",
            Kind::Lock => "lock",
            Kind::Disk => "disk",
            Kind::Permission => "permission",
            Kind::Signal => "signal",
            Kind::Program => "program",
            Kind::Network => "network",
            Kind::Io => "io",
            Kind::NotDone => "not_done",
            Kind::Internal => "internal",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|k| k.name() == name)
    }

    /// The exit code of a command that ends with it.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Usage
            | Kind::UnknownName
            | Kind::Configuration
            | Kind::NoSpack
            | Kind::UnknownFormat
            | Kind::Corrupt
            | Kind::Unsupported => 3,
            Kind::Refused => 4,
            Kind::Busy => 5,
            Kind::Cancelled => 130,
            _ => 2,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A place in a script or configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: u32,
    /// Column counted from one; zero when only the line is known.
    pub column: u32,
}

#[derive(Debug, Clone)]
struct Inner {
    kind: Kind,
    message: String,
    hints: Vec<String>,
    facts: BTreeMap<String, Value>,
    retry: bool,
    place: Option<Place>,
    traceback: Option<String>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// An error, as scripts, the command line and monitors see it. One word wide, so results stay small.
#[derive(Debug, Clone)]
pub struct Trouble(Box<Inner>);

impl Trouble {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Trouble(Box::new(Inner {
            kind,
            message: message.into(),
            hints: Vec::new(),
            facts: BTreeMap::new(),
            retry: false,
            place: None,
            traceback: None,
            source: None,
        }))
    }

    /// Wrong call or command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Trouble::new(Kind::Usage, message)
    }

    /// A name that is not known, with the nearest known one as hint.
    pub fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let near = super::nearest::nearest(name, known.iter().copied());
        let mut trouble =
            Trouble::new(Kind::UnknownName, format!("{what} '{name}' does not exist")).fact("name", name);
        if let Some(near) = near {
            trouble = trouble.hint(format!("did you mean '{near}'?")).fact("nearest", near);
        } else if !known.is_empty() && known.len() <= 12 {
            trouble = trouble.hint(format!("known: {}", known.join(", ")));
        }
        trouble
    }

    /// The await point of a cancelled scope.
    pub fn cancelled() -> Self {
        Trouble::new(Kind::Cancelled, "cancelled")
    }

    /// An error of the operating system about a path.
    pub fn io(doing: &str, path: &std::path::Path, error: std::io::Error) -> Self {
        use std::io::ErrorKind as E;
        let kind = match error.kind() {
            E::NotFound => Kind::NotFound,
            E::PermissionDenied | E::ReadOnlyFilesystem => Kind::Permission,
            E::StorageFull | E::QuotaExceeded | E::FileTooLarge => Kind::Disk,
            E::AlreadyExists => Kind::Exists,
            E::TimedOut => Kind::Timeout,
            _ => Kind::Io,
        };
        let reason = match error.kind() {
            E::NotFound => "there is no such file or folder".to_owned(),
            E::PermissionDenied => "permission denied".to_owned(),
            _ => error.to_string(),
        };
        Trouble::new(kind, format!("cannot {doing} {}: {reason}", path.display()))
            .fact("path", path.display().to_string())
            .caused_by(error)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.facts.insert(name.to_owned(), value.into());
        self
    }

    /// Says that trying again may help.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.0.retry = true;
        self
    }

    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }

    #[must_use]
    pub fn with_traceback(mut self, traceback: impl Into<String>) -> Self {
        self.0.traceback = Some(traceback.into());
        self
    }

    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// Puts "while …" in front, keeping kind, hints and facts.
    #[must_use]
    pub fn about(mut self, context: impl fmt::Display) -> Self {
        self.0.message = format!("{context}: {}", self.0.message);
        self
    }

    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    pub fn facts(&self) -> &BTreeMap<String, Value> {
        &self.0.facts
    }

    pub fn retry(&self) -> bool {
        self.0.retry
    }

    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    pub fn traceback(&self) -> Option<&str> {
        self.0.traceback.as_deref()
    }

    pub fn is(&self, kind: Kind) -> bool {
        self.0.kind == kind
    }

    /// The form that `--json` prints.
    pub fn to_json(&self) -> Value {
        let mut out = serde_json::json!({
            "kind": self.kind().name(),
            "message": self.message(),
            "hints": self.hints(),
            "facts": self.facts(),
            "retry": self.retry(),
        });
        if let Some(place) = self.place() {
            out["where"] = format!("{}:{}", place.file, place.line).into();
        }
        out
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        for hint in &self.0.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl Error for Trouble {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|e| e as &(dyn Error + 'static))
    }
}

/// Adds context to results whose error is already a [`Trouble`].
pub trait About<T> {
    fn about(self, context: impl fmt::Display) -> Result<T, Trouble>;
}

impl<T> About<T> for Result<T, Trouble> {
    fn about(self, context: impl fmt::Display) -> Result<T, Trouble> {
        self.map_err(|t| t.about(context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(*kind));
        }
    }

    #[test]
    fn an_unknown_name_carries_the_nearest() {
        let t = Trouble::unknown("function", "instal", ["install", "find"]);
        assert_eq!(t.kind(), Kind::UnknownName);
        assert_eq!(t.hints(), ["did you mean 'install'?"]);
    }

    #[test]
    fn io_errors_get_the_kind_that_a_script_can_act_on() {
        let path = std::path::Path::new("/x");
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        assert_eq!(Trouble::io("write", path, full).kind(), Kind::Disk);
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        assert_eq!(Trouble::io("read", path, denied).kind(), Kind::Permission);
    }
}

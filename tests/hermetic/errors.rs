//! How errors look, one file for each kind. `UPDATE=1 cargo test --test hermetic errors::` writes them anew; read the
//! difference before committing it.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use moonstack::base::trouble::Place;
use moonstack::base::{Kind, Trouble};
use moonstack::term::trouble::{TroubleStyle, json, render};

const SCRIPT: &str = "local o = { jobs = 8 }\nspack.instal(\"hdf5\", o)\n\tprocess.run{ argv = argv }\n";

fn at(line: u32) -> Place {
    Place { file: "nightly.lua".into(), line, column: 0 }
}

/// An error of each kind, as its part of the program words it.
fn sample(kind: Kind) -> Trouble {
    let t = |message: &str| Trouble::new(kind, message);
    match kind {
        Kind::Usage => t("process.run: 'argv' must be a list, not a table with names").at(at(3)),
        Kind::UnknownName => Trouble::unknown("spack: function", "instal", ["install", "find"]).at(at(2)),
        Kind::Configuration => t("unknown field 'sapck'").hint("did you mean 'spack'?").at(Place {
            file: "site.toml".into(),
            line: 1,
            column: 3,
        }),
        Kind::NoSpack => t("no Spack was found").hint("--spack DIR, SPACK_ROOT, or 'spack = …' in the site file"),
        Kind::UnknownFormat => t("the database has version 99; known are 5 to 8").fact("version", 99),
        Kind::Corrupt => t("index.json ends at byte 4096 in the middle of a record").fact("offset", 4096),
        Kind::Unsupported => t("'hdf5 cflags=-O3': compiler flags in a query are not supported"),
        Kind::Script => t("attempt to index a nil value (local 'o')").at(at(1)).with_traceback(
            "stack traceback:\n\t[C]: in ?\n\tnightly.lua:1: in function 'build'\n\tnightly.lua:9: in main chunk",
        ),
        Kind::NotFound => t("no installed spec matches 'hdf5@2'"),
        Kind::Ambiguous => t("'zlib' matches 2 installed specs").hint("say which: zlib/abc1234 or zlib/def5678"),
        Kind::Exists => t("environment 'prod' exists already"),
        Kind::Refused => t("not removed: 3 specs need it").hint("spack.dependents(\"zlib\") lists them"),
        Kind::Busy => t("another instance is running").fact("pid", 4711),
        Kind::Cancelled => Trouble::cancelled(),
        Kind::Timeout => t("not done within 10m 0s").fact("seconds", 600.0).retryable(),
        Kind::Limit => t("the script needs more memory than it may have")
            .hint("`limits.memory` of the site file sets the limit; without it there is 1 GiB"),
        Kind::Fetch => t("the sources of hdf5 could not be fetched").retryable(),
        Kind::Concretization => t("no solution for 'hdf5 ^mpich ^openmpi'").hint("spack solve tells more"),
        Kind::Build => t("hdf5 failed to build").fact("log", "/tmp/hdf5/spack-build-out.txt"),
        Kind::Lock => t("the database is locked by process 4711").retryable(),
        Kind::Disk => t("cannot write /scratch/x: no space left on device"),
        Kind::Permission => t("cannot read /root/x: permission denied"),
        Kind::Signal => t("spack was ended by signal 9 (KILL)"),
        Kind::Program => t("git ended with exit code 128"),
        Kind::Network => t("https://mirror.example/: connection refused").retryable(),
        Kind::Io => t("cannot read /data: input/output error")
            .caused_by(std::io::Error::other("input/output error")),
        Kind::NotDone => t("spack said it was done, but zlib/abc1234 is not installed"),
        Kind::Internal => t("context lock").hint("this is a fault of moonstack; please report it"),
        _ => panic!("{kind} has no sample"),
    }
}

#[test]
fn each_kind_reads_well() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors");
    for kind in Kind::ALL {
        let source = |name: &str| match name {
            "nightly.lua" => Some(SCRIPT.to_owned()),
            "site.toml" => Some("  sapck = \"/opt/spack\"\n".to_owned()),
            _ => None,
        };
        let trouble = sample(*kind);
        let text = format!(
            "{}\n\n--verbose\n{}\n\n--json\n{}\n\nexit {}\n",
            render(&trouble, &source, TroubleStyle::default()).trim_end(),
            render(&trouble, &source, TroubleStyle { colour: false, verbose: true }).trim_end(),
            json(&trouble),
            kind.exit_code()
        );
        let path = folder.join(format!("{kind}.txt"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let known = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            known == text,
            "{kind}: expected\n{known}\nfound\n{text}\nUPDATE=1 cargo test --test hermetic errors::"
        );
    }
}

#[test]
fn a_place_that_cannot_be_shown_is_named() {
    for (file, line) in [("gone.lua", 3), ("nightly.lua", 99), ("nightly.lua", 0)] {
        let place = Place { file: file.into(), line, column: 7 };
        let text = render(
            &Trouble::usage("no").at(place),
            &|_| Some(SCRIPT.to_owned()).filter(|_| file != "gone.lua"),
            TroubleStyle::default(),
        );
        assert!(text.starts_with("error: no") && text.contains(&format!("{file}:{line}")), "{text}");
    }
}

#[test]
fn colour_only_when_asked() {
    let trouble = sample(Kind::UnknownName);
    let shown = |colour| render(&trouble, &|_| Some(SCRIPT.into()), TroubleStyle { colour, verbose: true });
    assert!(!shown(false).contains('\x1b'));
    assert!(shown(true).contains("\x1b["));
    assert_eq!(anstream::adapter::strip_str(&shown(true)).to_string(), shown(false));
}

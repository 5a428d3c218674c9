//! What it takes to compare two locks of ten thousand specs, reading the files included: one where two in a hundred
//! differ, and one where everything does. `cargo bench --bench diff`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use moonstack::base::parallel::both;
use moonstack::spack::lock::diff;
use moonstack::spack::lock::lockfile::LockfileText;
use moonstack::world::fs::eyes::LiveEyes;

/// As in the executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SPECS: usize = 10_000;
const EDGES: usize = 10;
const ROUNDS: usize = 15;
const ROOTS: usize = 200;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, differing: usize| {
        let path = folder.path().join(name);
        std::fs::write(&path, lock(differing)).unwrap();
        path
    };
    let old = file("old.lock", 0);
    let size = std::fs::metadata(&old).unwrap().len() as f64 / 1e6;
    println!("two locks of {SPECS} specs, {size:.1} MB each:");
    for (what, differing) in [("nothing", 0), ("2 %", SPECS / 50), ("everything", SPECS)] {
        let new = file("new.lock", differing);
        measure(what, &old, &new, differing);
    }
}

fn measure(what: &str, old: &Path, new: &Path, differing: usize) {
    let mut times: Vec<(Duration, Duration)> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            let read = |path: &Path| LockfileText::read(&LiveEyes, path).unwrap();
            let (a, b) = both(|| read(old), || read(new));
            let looked = begin.elapsed();
            let diff = diff::of_texts(&a, &b).unwrap();
            let took = begin.elapsed();
            assert_eq!((diff.summary.changed, diff.summary.same), (differing, SPECS - differing));
            (took, looked)
        })
        .collect();
    times.sort_unstable();
    let (median, reading) = times[ROUNDS / 2];
    let (least, most) = (times[0].0, times[ROUNDS - 1].0);
    println!("{what} differs: {median:.1?} ({least:.1?} to {most:.1?}), of it {reading:.1?} reading");
}

/// A lock in which the first specs are others than usual. Dependencies have higher numbers than what needs them, so
/// that a spec below another never differs alone.
fn lock(differing: usize) -> String {
    let hash = |number: usize| hash(number, number < differing);
    let mut out = String::from(
        r#"{"_meta":{"file-type":"spack-lockfile","lockfile-version":6,"specfile-version":5},"spack":{"version":"1.1.0","type":"git"},"roots":["#,
    );
    for number in 0..ROOTS {
        let comma = if number > 0 { "," } else { "" };
        write!(out, r#"{comma}{{"hash":"{}","spec":"package-{number}"}}"#, hash(number)).unwrap();
    }
    out.push_str(r#"],"concrete_specs":{"#);
    for number in 0..SPECS {
        let comma = if number > 0 { "," } else { "" };
        let patch = usize::from(number < differing);
        write!(
            out,
            r#"{comma}"{}":{{"name":"package-{number}","version":"{}.{}.{patch}","#,
            hash(number),
            number % 9,
            number % 31
        )
        .unwrap();
        out.push_str(r#""arch":{"platform":"linux","platform_os":"debian12","target":"x86_64_v4"},"namespace":"builtin","parameters":{"build_system":"cmake","build_type":"Release","#);
        for variant in 0..14 {
            write!(out, r#""variant_{variant}":{},"#, (number + variant) % 3 == 0).unwrap();
        }
        out.push_str(r#""generator":"make","languages":["c","cxx","fortran"],"cflags":[],"cppflags":[],"cxxflags":[],"fflags":[],"ldflags":[],"ldlibs":[]},"#);
        write!(out, r#""package_hash":"{}{}====","dependencies":["#, hash(number), &hash(number)[..20])
            .unwrap();
        for edge in 0..EDGES {
            let below = number + 1 + (number * 7 + edge * edge * 13) % 300;
            if below >= SPECS {
                continue;
            }
            let comma = if out.ends_with('[') { "" } else { "," };
            let types = ["\"build\"", "\"build\",\"link\"", "\"link\",\"run\""][edge % 3];
            let virtuals = if edge == 1 { "\"mpi\"" } else { "" };
            write!(out, r#"{comma}{{"name":"package-{below}","hash":"{}","parameters":{{"deptypes":[{types}],"virtuals":[{virtuals}]}}}}"#, hash(below)).unwrap();
        }
        write!(out, r#"],"annotations":{{"original_specfile_version":5}},"hash":"{}"}}"#, hash(number))
            .unwrap();
    }
    out.push_str("}}");
    out
}

/// Looks like a hash; one of an altered node is quite another.
fn hash(number: usize, altered: bool) -> String {
    let mut state = (number as u64 * 2 + u64::from(altered) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (0..32)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b"abcdefghijklmnopqrstuvwxyz234567"[(state >> 59) as usize])
        })
        .collect()
}

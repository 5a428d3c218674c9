//! Which processor is at least which: the names of archspec and their parents, for target ranges.

/// Name and direct parents, sorted by name.
const PARENTS: &[(&str, &str)] = &[
    ("a64fx", "armv8.2a"),
    ("aarch64", ""),
    ("arm", ""),
    ("armv8.1a", "aarch64"),
    ("armv8.2a", "armv8.1a"),
    ("armv8.3a", "armv8.2a"),
    ("armv8.4a", "armv8.3a"),
    ("armv8.5a", "armv8.4a"),
    ("armv8.6a", "armv8.5a"),
    ("armv9.0a", "armv8.5a"),
    ("broadwell", "haswell"),
    ("bulldozer", "x86_64_v2"),
    ("cannonlake", "skylake"),
    ("cascadelake", "skylake_avx512"),
    ("core2", "nocona"),
    ("cortex_a72", "aarch64"),
    ("excavator", "steamroller x86_64_v3"),
    ("haswell", "ivybridge x86_64_v3"),
    ("i686", "x86"),
    ("icelake", "cascadelake cannonlake"),
    ("ivybridge", "sandybridge"),
    ("k10", "x86_64"),
    ("m1", "armv8.4a"),
    ("m2", "m1 armv8.5a"),
    ("m3", "m2 armv8.6a"),
    ("m4", "m3 armv8.6a"),
    ("mic_knl", "broadwell"),
    ("nehalem", "core2 x86_64_v2"),
    ("neoverse_n1", "cortex_a72 armv8.2a"),
    ("neoverse_n2", "neoverse_n1 armv9.0a"),
    ("neoverse_v1", "neoverse_n1 armv8.4a"),
    ("neoverse_v2", "neoverse_n1 armv9.0a"),
    ("nocona", "x86_64"),
    ("pentium2", "i686"),
    ("pentium3", "pentium2"),
    ("pentium4", "pentium3"),
    ("piledriver", "bulldozer"),
    ("power10", "power9"),
    ("power10le", "power9le"),
    ("power7", "ppc64"),
    ("power8", "power7"),
    ("power8le", "ppc64le"),
    ("power9", "power8"),
    ("power9le", "power8le"),
    ("ppc", ""),
    ("ppc64", ""),
    ("ppc64le", ""),
    ("ppcle", ""),
    ("prescott", "pentium4"),
    ("riscv64", ""),
    ("sandybridge", "westmere"),
    ("sapphirerapids", "icelake"),
    ("skylake", "broadwell"),
    ("skylake_avx512", "skylake x86_64_v4"),
    ("sparc", ""),
    ("sparc64", ""),
    ("steamroller", "piledriver"),
    ("thunderx2", "armv8.1a"),
    ("u74mc", "riscv64"),
    ("westmere", "nehalem"),
    ("x86", ""),
    ("x86_64", ""),
    ("x86_64_v2", "x86_64"),
    ("x86_64_v3", "x86_64_v2"),
    ("x86_64_v4", "x86_64_v3"),
    ("zen", "x86_64_v3"),
    ("zen2", "zen"),
    ("zen3", "zen2"),
    ("zen4", "zen3 x86_64_v4"),
    ("zen5", "zen4"),
];

fn parents(name: &str) -> impl Iterator<Item = &'static str> {
    let found = PARENTS.binary_search_by(|(known, _)| (*known).cmp(name)).ok().and_then(|at| PARENTS.get(at));
    found.map_or("", |(_, parents)| parents).split_whitespace()
}

/// Is `a` the target `b`, or a descendant of it?
pub fn at_least(a: &str, b: &str) -> bool {
    a == b || parents(a).any(|parent| at_least(parent, b))
}

/// A target of which archspec knows nothing, where its place among others is asked.
#[derive(Debug, PartialEq, Eq)]
pub struct UnknownTarget(pub String);

fn known(name: &str) -> bool {
    PARENTS.binary_search_by(|(known, _)| (*known).cmp(name)).is_ok()
}

/// Is `target` at least `low` and at most `high`? An empty end is open; one that nobody knows is an error.
fn between(target: &str, low: &str, high: &str) -> Result<bool, UnknownTarget> {
    let checked = |end: &str| if known(end) { Ok(()) } else { Err(UnknownTarget(end.to_owned())) };
    if !low.is_empty() {
        checked(low)?;
        if !at_least(target, low) {
            return Ok(false);
        }
    }
    if high.is_empty() {
        return Ok(true);
    }
    checked(high)?;
    Ok(at_least(high, target))
}

/// Does a target satisfy what a query says: names and ranges, separated by commas?
pub fn satisfies(target: &str, query: &str) -> Result<bool, UnknownTarget> {
    let mut found = false;
    for part in query.split(',') {
        found |= match part.split_once(':') {
            None => part == target,
            Some((low, high)) => between(target, low, high)?,
        };
    }
    Ok(found)
}

/// What two queries have in common, as a query; none where that is nothing.
pub fn common(a: &str, b: &str) -> Option<String> {
    let exact = |text: &str| !text.contains([':', ',']);
    let mut both = Vec::new();
    for x in a.split(',') {
        both.extend(b.split(',').filter_map(|y| overlap(x, y)));
    }
    if both.is_empty() {
        return None;
    }
    Some(if exact(a) {
        a.to_owned()
    } else if exact(b) {
        b.to_owned()
    } else {
        both.join(",")
    })
}

fn overlap(x: &str, y: &str) -> Option<String> {
    match (x.split_once(':'), y.split_once(':')) {
        (None, None) => (x == y).then(|| x.to_owned()),
        (None, Some((low, high))) => between(x, low, high).is_ok_and(|is| is).then(|| x.to_owned()),
        (Some((low, high)), None) => between(y, low, high).is_ok_and(|is| is).then(|| y.to_owned()),
        (Some((low, high)), Some((other_low, other_high))) => {
            let low = nearer(low, other_low, at_least)?;
            let high = nearer(high, other_high, |a, b| at_least(b, a))?;
            match (low.is_empty(), high.is_empty()) {
                (false, false) if low == high => Some(low.to_owned()),
                (false, false) if !at_least(high, low) => None,
                _ => Some(format!("{low}:{high}")),
            }
        }
    }
}

/// Of two ends the one that leaves less; none where neither does.
fn nearer<'t>(a: &'t str, b: &'t str, within: impl Fn(&str, &str) -> bool) -> Option<&'t str> {
    match (a.is_empty(), b.is_empty()) {
        (true, _) => Some(b),
        (_, true) => Some(a),
        _ if within(a, b) => Some(a),
        _ => within(b, a).then_some(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_closed() {
        assert!(PARENTS.is_sorted());
        for (name, _) in PARENTS {
            for parent in parents(name) {
                assert!(PARENTS.iter().any(|(known, _)| *known == parent), "{parent} of {name}");
            }
        }
    }

    #[test]
    fn ranges_follow_descent() {
        let cases = [
            ("zen2", "zen2", true),
            ("zen2", "x86_64_v3:", true),
            ("zen2", "x86_64_v4:", false),
            ("zen2", ":zen3", true),
            ("zen2", ":zen", false),
            ("zen2", "x86_64:", true),
            ("zen2", "aarch64:", false),
            ("zen2", "haswell,zen2", true),
            ("zen2", ":", true),
            ("made_up", "made_up", true),
            ("made_up", "x86_64:", false),
        ];
        for (target, query, expected) in cases {
            assert_eq!(satisfies(target, query), Ok(expected), "{target} in {query}");
        }
        assert!(satisfies("zen2", "nosuch:").is_err());
    }

    #[test]
    fn two_queries_are_narrowed_to_what_both_allow() {
        for (a, b, expected) in [
            ("x86_64:", ":zen2", Some("x86_64:zen2")),
            ("x86_64_v3:", "x86_64:", Some("x86_64_v3:")),
            ("zen2", "x86_64:", Some("zen2")),
            ("zen2,haswell", "zen2:", Some("zen2")),
            ("zen2", "zen3", None),
            ("zen:", ":x86_64", None),
            ("x86_64:", "aarch64:", None),
        ] {
            assert_eq!(common(a, b).as_deref(), expected, "{a} and {b}");
        }
    }
}

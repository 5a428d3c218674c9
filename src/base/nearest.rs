//! "Did you mean": the nearest known name, or none. A wrong suggestion is worse than none, so the
//! threshold grows slowly with the length of what was typed.

use strsim::damerau_levenshtein;

/// The known name nearest to `typed`, if one is near enough.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = typed.to_lowercase();
    let limit = match typed.chars().count() {
        0 => return None,
        1..=2 => 1,
        3..=5 => 2,
        n => n / 3,
    };
    known
        .into_iter()
        .filter_map(|candidate| {
            let low = candidate.to_lowercase();
            let edits = damerau_levenshtein(&low, &lower);
            let distance = if low == lower || same_words(&low, &lower) {
                0
            } else if lower.len() >= 3
                && (low.starts_with(&lower) || lower.starts_with(&low) && low.len() >= 3)
            {
                1
            } else {
                edits
            };
            (distance <= limit && distance < candidate.chars().count().max(2))
                .then_some((distance, edits, candidate))
        })
        .min_by_key(|(distance, edits, _)| (*distance, *edits))
        .map(|(_, _, candidate)| candidate)
}

/// `dry-run`, `dry_run` and `dryRun` are one word.
fn same_words(a: &str, b: &str) -> bool {
    let letters = |s: &str| s.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    letters(a) == letters(b)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn reasoned_cases() {
        let known = ["install", "uninstall", "find", "gc", "mark", "verify", "fail_fast"];
        let cases: &[(&str, Option<&str>, &str)] = &[
            ("instal", Some("install"), "one letter missing"),
            ("isntall", Some("install"), "two letters swapped"),
            ("Find", Some("find"), "another case"),
            ("fnd", Some("find"), "one of four missing"),
            ("gcc", Some("gc"), "one letter too many"),
            ("fail-fast", Some("fail_fast"), "another separator"),
            ("failfast", Some("fail_fast"), "no separator"),
            ("verif", Some("verify"), "a beginning"),
            ("compile", None, "another word"),
            ("x", None, "nothing to go by"),
            ("", None, "nothing at all"),
        ];
        for (typed, expected, why) in cases {
            assert_eq!(nearest(typed, known), *expected, "{typed}: {why}");
        }
        assert_eq!(nearest("zlib-mg", ["zlib", "zlib-ng"]), Some("zlib-ng"), "as near as its beginning");
    }
}

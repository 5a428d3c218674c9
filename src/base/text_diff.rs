//! What differs between two texts, line by line, as `diff -u` shows it; for configuration files, which people read.

use std::time::Duration;

use similar::TextDiff;

/// Longer differences are cut; nobody reads them.
const MOST_BYTES: usize = 64 << 10;
/// After this long the difference is still right, but maybe not the shortest.
const PATIENCE: Duration = Duration::from_millis(200);
const CONTEXT: usize = 3;

/// The difference under the names of both; empty if there is none.
pub fn unified(from: &str, to: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(before, after);
    let whole = diff.unified_diff().context_radius(CONTEXT).header(from, to).to_string();
    bounded(whole)
}

fn bounded(mut text: String) -> String {
    if text.len() <= MOST_BYTES {
        return text;
    }
    let kept = text.floor_char_boundary(MOST_BYTES);
    let kept = text.get(..kept).and_then(|head| head.rfind('\n')).map_or(kept, |at| at + 1);
    let left = text.get(kept..).map_or(0, |rest| rest.lines().count());
    text.truncate(kept);
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&format!("… {left} more lines\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_diff_shows_it() {
        let lines = |changed: &str| format!("a\nb\nc\nd\n{changed}\nf\ng\nh\ni\n");
        let expected = "--- old\n+++ new\n@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n";
        let cases = [
            (lines("e"), lines("e"), ""),
            (lines("e"), lines("E"), expected),
            (String::new(), String::from("x\n"), "--- old\n+++ new\n@@ -0,0 +1 @@\n+x\n"),
            (
                String::from("x"),
                String::from("x\n"),
                "--- old\n+++ new\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n",
            ),
        ];
        for (before, after, expected) in cases {
            assert_eq!(unified("old", "new", &before, &after), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_long_one_is_cut_at_a_line_and_takes_no_long_time() {
        let text = |salt: usize| {
            let lines: Vec<String> = (0..20_000).map(|n| format!("é{}", n * salt % 7919)).collect();
            lines.join("\n")
        };
        let begin = std::time::Instant::now();
        let diff = unified("old", "new", &text(3), &text(5));
        assert!(begin.elapsed() < Duration::from_secs(20));
        assert!(diff.len() < MOST_BYTES + 100 && diff.ends_with(" more lines\n"), "{}", diff.len());
        let one = unified("old", "new", "", &"x".repeat(200_000));
        assert!(one.len() < MOST_BYTES + 100 && one.contains("\n… "), "{}", one.len());
    }
}

//! Durations and sizes as words: `"10m"`, `"4 GiB"`, `"5 of 12"`; parsed and printed.

use std::time::Duration;

use super::{Result, Trouble};

/// Reads `"90"`, `"1.5h"`, `"2h 30m"`, `"500ms"`; a bare number is seconds.
pub fn parse_span(text: &str) -> Result<Duration> {
    let bad = || {
        Trouble::usage(format!("'{text}' is not a duration"))
            .hint("write a number with a unit: \"500ms\", \"30s\", \"10m\", \"2h\", \"1d\"")
    };
    let mut rest = text.trim();
    let mut total = 0.0_f64;
    if rest.is_empty() {
        return Err(bad());
    }
    while !rest.is_empty() {
        let (number, after) = number_prefix(rest).ok_or_else(bad)?;
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let factor = match &after[..end] {
            "ms" => 0.001,
            "" | "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => return Err(bad()),
        };
        total += number * factor;
        rest = after[end..].trim_start();
    }
    Duration::try_from_secs_f64(total).map_err(|_| bad())
}

/// Reads `"4 GiB"`, `"500MB"`, `"12k"`, `"4096"`; without `i` the unit is decimal, single letters are binary.
pub fn parse_size(text: &str) -> Result<u64> {
    let bad = || {
        Trouble::usage(format!("'{text}' is not a size"))
            .hint("write a number with a unit: \"512 MiB\", \"4 GiB\", \"1 TB\"")
    };
    let (number, unit) = number_prefix(text.trim()).ok_or_else(bad)?;
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" | "bytes" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024.0 * 1024.0,
        "g" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        "p" | "pib" => 1024.0 * 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(bad()),
    };
    let bytes = number * factor;
    if bytes > 9.0e18 {
        return Err(bad());
    }
    Ok(bytes.round() as u64)
}

fn number_prefix(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    Some((number, &text[end..]))
}

/// `1536` → `1.5 KiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit < UNITS.len() - 1 {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `90 s` → `1m 30s`.
pub fn span(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms < 1000 {
        return format!("{ms}ms");
    }
    let s = duration.as_secs();
    match s {
        0..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m {}s", s / 60, s % 60),
        3600..86_400 => format!("{}h {}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// `1 spec`, `3 specs`.
pub fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, ms) in
            [("90", 90_000), ("500ms", 500), ("10m", 600_000), ("2h 30m", 9_000_000), ("1.5h", 5_400_000)]
        {
            assert_eq!(parse_span(text).unwrap().as_millis(), ms, "{text}");
        }
        for text in ["", "m", "10 parsecs", "-3s", "1e400d"] {
            assert!(parse_span(text).is_err(), "{text}");
        }
        assert_eq!(span(Duration::from_secs(90)), "1m 30s");
    }

    #[test]
    fn sizes() {
        for (text, n) in [("4096", 4096), ("1.5 KiB", 1536), ("1 MB", 1_000_000), ("2G", 2 << 30)] {
            assert_eq!(parse_size(text).unwrap(), n, "{text}");
        }
        for text in ["", "GiB", "4 GB free", "-1", "99999999999 PiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        assert_eq!(size(1536), "1.5 KiB");
    }
}

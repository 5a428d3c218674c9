//! What an unquoted YAML scalar means to Spack, whose reader follows the YAML 1.2 rules of ruamel: `yes` and
//! `off` are text, `0755` is the decimal 755, `1.10` is the number 1.1.

use std::sync::LazyLock;

use regex::Regex;

use super::yaml::Value;

static FLOAT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let forms = [
        r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?",
        r"[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+",
        r"[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?",
        r"[-+]?\.(?:inf|Inf|INF)",
        r"\.(?:nan|NaN|NAN)",
    ];
    Regex::new(&format!("^(?:{})$", forms.join("|"))).ok()
});

/// The value of a plain scalar.
pub fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) {
        return Value::Text(text.to_owned());
    }
    float(text).or_else(|| integer(text)).unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn float(text: &str) -> Option<Value> {
    if !FLOAT.as_ref()?.is_match(text) {
        return None;
    }
    let low = text.replace('_', "").to_ascii_lowercase();
    let number = match low.trim_start_matches(['-', '+']) {
        ".inf" if low.starts_with('-') => f64::NEG_INFINITY,
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        _ => low.parse().ok()?,
    };
    Some(Value::Float(number))
}

/// `0b101`, `0o17`, `0x1f`, decimal; underscores anywhere, as Python allows.
fn integer(text: &str) -> Option<Value> {
    let clean = text.replace('_', "");
    let (negative, digits) = match clean.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, clean.strip_prefix('+').unwrap_or(&clean)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0b") => (2, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0x") => (16, &digits[2..]),
        _ => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    match i64::from_str_radix(digits, radix) {
        Ok(number) => Some(Value::Int(if negative { -number } else { number })),
        // Beyond 64 bits only the size still matters.
        Err(_) => digits.parse().ok().map(|f: f64| Value::Float(if negative { -f } else { f })),
    }
}

/// A number as Python prints it: `1.0`, `1.1`, `1e+20`.
pub fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if number != 0.0 && !(1e-4..1e16).contains(&number.abs()) {
        let text = format!("{number:e}");
        return match text.split_once('e') {
            Some((digits, power)) => match power.strip_prefix('-') {
                Some(power) => format!("{digits}e-{power:0>2}"),
                None => format!("{digits}e+{power:0>2}"),
            },
            None => text,
        };
    }
    let text = number.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_spack_reads() {
        let text = |s: &str| Value::Text(s.to_owned());
        let cases: &[(&str, Value)] = &[
            ("yes", text("yes")),
            ("no", text("no")),
            ("on", text("on")),
            ("off", text("off")),
            ("y", text("y")),
            ("True", Value::Bool(true)),
            ("tRUE", text("tRUE")),
            ("~", Value::Null),
            ("", Value::Null),
            ("NULL", Value::Null),
            ("0755", Value::Int(755)),
            ("0o17", Value::Int(15)),
            ("0x1F", Value::Int(31)),
            ("0b101", Value::Int(5)),
            ("-12", Value::Int(-12)),
            ("1_000", Value::Int(1000)),
            ("1.10", Value::Float(1.1)),
            ("1.", Value::Float(1.0)),
            ("1e3", Value::Float(1000.0)),
            (".5", Value::Float(0.5)),
            ("1.10.2", text("1.10.2")),
            ("1:30", text("1:30")),
            ("12.4.0-1", text("12.4.0-1")),
            ("-", text("-")),
            ("+mpi", text("+mpi")),
            ("0x", text("0x")),
            (".", text(".")),
            ("2024-01-02", text("2024-01-02")),
        ];
        for (given, expected) in cases {
            assert_eq!(&plain(given), expected, "{given}");
        }
        assert_eq!(plain("-.inf"), Value::Float(f64::NEG_INFINITY));
    }

    #[test]
    fn numbers_print_as_in_python() {
        for (number, text) in [(1.0, "1.0"), (1.1, "1.1"), (1e20, "1e+20"), (1e-5, "1e-05"), (0.0, "0.0")] {
            assert_eq!(float_text(number), text);
        }
    }
}

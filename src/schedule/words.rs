//! Schedules in words, as cron expressions: "daily 02:00", "weekly sun 03:30", "every 15m".

use super::fields::DAYS;
use crate::base::{Result, Trouble, words};

const FORMS: &str = "\"hourly\", \"daily 02:00\", \"weekdays 06:00\", \"weekly sun 03:30\", \"monthly 1 04:00\", \
\"every 15m\", or the five fields of a cron expression";

const FIRST: &[&str] = &["hourly", "daily", "weekdays", "weekends", "weekly", "monthly", "every"];

/// The cron expression that the words stand for; an expression is handed through.
pub fn cron(text: &str) -> Result<String> {
    let lower = text.trim().to_ascii_lowercase();
    let all: Vec<&str> = lower.split_whitespace().collect();
    let Some((first, rest)) = all.split_first() else {
        return Err(Trouble::usage("the schedule is empty").hint(FORMS));
    };
    if first.starts_with(|c: char| c.is_ascii_digit() || c == '*') {
        return Ok(lower);
    }
    let days = |days: &str, rest: &[&str]| {
        let (hour, minute) = time(text, rest)?;
        Ok(format!("{minute} {hour} * * {days}"))
    };
    match *first {
        "@hourly" | "@daily" | "@midnight" | "@weekly" | "@monthly" | "@yearly" | "@annually" => {
            let expression = match *first {
                "@hourly" => "0 * * * *",
                "@weekly" => "0 0 * * 0",
                "@monthly" => "0 0 1 * *",
                "@yearly" | "@annually" => "0 0 1 1 *",
                _ => "0 0 * * *",
            };
            if rest.is_empty() { Ok(expression.to_owned()) } else { Err(left_over(text, rest)) }
        }
        "@reboot" => Err(Trouble::usage("'@reboot' is no time").hint(FORMS)),
        "hourly" => match rest {
            [] => Ok(String::from("0 * * * *")),
            [minute] => {
                let minute = minute.strip_prefix(':').and_then(|m| below(m, 60));
                minute.map(|m| format!("{m} * * * *")).ok_or_else(|| {
                    Trouble::usage(format!("'{text}': that is no minute")).hint("\"hourly :15\"")
                })
            }
            _ => Err(left_over(text, rest)),
        },
        "daily" => days("*", rest),
        "weekdays" => days("1-5", rest),
        "weekends" => days("0,6", rest),
        "weekly" => match rest.split_first() {
            // Monitors, cron and systemd begin their weeks on different days.
            None => Err(Trouble::usage("'weekly': on which day?").hint("\"weekly sun 03:30\"")),
            Some((day, rest)) => days(&weekdays(text, day)?, rest),
        },
        "monthly" => {
            let (day, rest) = match rest.split_first() {
                Some((day, rest)) if !day.contains(':') => (*day, rest),
                _ => ("1", rest),
            };
            let day = day.trim_end_matches(['.', 's', 't', 'n', 'd', 'r', 'h']);
            let day = below(day, 32).filter(|d| *d > 0).ok_or_else(|| {
                Trouble::usage(format!("'{text}': no month has that day")).hint("\"monthly 1 04:00\"")
            })?;
            let (hour, minute) = time(text, rest)?;
            Ok(format!("{minute} {hour} {day} * *"))
        }
        "every" => every(text, &rest.join(" ")),
        other => Err(Trouble::unknown("schedule", other, FIRST.iter().copied()).hint(FORMS)),
    }
}

fn left_over(text: &str, rest: &[&str]) -> Trouble {
    Trouble::usage(format!("'{text}': what does '{}' mean?", rest.join(" "))).hint(FORMS)
}

fn below(text: &str, end: u8) -> Option<u8> {
    let digits = (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n < end)
}

/// Hour and minute; midnight where none is given.
fn time(text: &str, rest: &[&str]) -> Result<(u8, u8)> {
    let rest = if let ["at", rest @ ..] = rest { rest } else { rest };
    match rest {
        [] => Ok((0, 0)),
        [time] => {
            let (hour, minute) = time.split_once(':').unwrap_or(("", ""));
            below(hour, 24).zip(below(minute, 60).filter(|_| minute.len() == 2)).ok_or_else(|| {
                Trouble::usage(format!("'{text}': '{time}' is no time of day")).hint("\"02:00\", \"23:45\"")
            })
        }
        _ => Err(left_over(text, rest)),
    }
}

fn weekdays(text: &str, list: &str) -> Result<String> {
    let numbers: Option<Vec<String>> = list
        .split(',')
        .map(|word| {
            let named = |day: &&str| **day == *word || day.get(..3) == Some(word);
            DAYS.iter().position(named).map(|at| at.to_string())
        })
        .collect();
    numbers.map(|n| n.join(",")).ok_or_else(|| {
        Trouble::usage(format!("'{text}': '{list}' is no day of the week")).hint("\"weekly mon,thu 03:30\"")
    })
}

/// Only distances that divide an hour or a day come evenly.
fn every(text: &str, span: &str) -> Result<String> {
    let seconds = words::parse_span(span).map_err(|t| t.hint(FORMS))?.as_secs_f64();
    let minutes = (seconds / 60.0).round() as u64;
    if (seconds - minutes as f64 * 60.0).abs() > 1e-6 || minutes == 0 {
        return Err(
            Trouble::usage(format!("'{text}': cron knows no less than a minute")).hint("\"every 15m\"")
        );
    }
    match (minutes, minutes / 60) {
        (1, _) => Ok(String::from("* * * * *")),
        (m @ 2..60, _) if 60 % m == 0 => Ok(format!("*/{m} * * * *")),
        (60, _) => Ok(String::from("0 * * * *")),
        (m, h @ 2..24) if m % 60 == 0 && 24 % h == 0 => Ok(format!("0 */{h} * * *")),
        (1440, _) => Ok(String::from("0 0 * * *")),
        _ => Err(Trouble::usage(format!("'{text}' does not come evenly")).hint(
            "of minutes 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30 go into an hour; of hours 1, 2, 3, 4, 6, 8, 12 into a day",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_expressions() {
        for (words, expression) in [
            ("hourly", "0 * * * *"),
            ("hourly :05", "5 * * * *"),
            ("daily", "0 0 * * *"),
            ("Daily 02:00", "0 2 * * *"),
            ("daily at 2:05", "5 2 * * *"),
            ("weekdays 06:00", "0 6 * * 1-5"),
            ("weekends 23:59", "59 23 * * 0,6"),
            ("weekly sun 03:30", "30 3 * * 0"),
            ("weekly monday,thu 03:30", "30 3 * * 1,4"),
            ("monthly", "0 0 1 * *"),
            ("monthly 04:00", "0 4 1 * *"),
            ("monthly 15th 04:00", "0 4 15 * *"),
            ("every 15m", "*/15 * * * *"),
            ("every 2 hours", "0 */2 * * *"),
            ("every 1h", "0 * * * *"),
            ("every 60s", "* * * * *"),
            ("every 1d", "0 0 * * *"),
            ("@weekly", "0 0 * * 0"),
            (" 0 2 * * MON ", "0 2 * * mon"),
        ] {
            assert_eq!(cron(words).unwrap(), expression, "{words}");
        }
    }

    #[test]
    fn other_words_are_refused_with_a_hint() {
        for (words, why) in [
            ("", "is empty"),
            ("dayly 02:00", "'dayly' does not exist"),
            ("sometimes", "'sometimes' does not exist"),
            ("@reboot", "is no time"),
            ("@daily 02:00", "what does '02:00' mean"),
            ("daily 24:00", "'24:00' is no time of day"),
            ("daily 2", "'2' is no time of day"),
            ("daily 2:5", "'2:5' is no time of day"),
            ("daily 02:00 03:00", "what does"),
            ("hourly 15", "that is no minute"),
            ("weekly", "on which day?"),
            ("weekly 03:30", "'03:30' is no day of the week"),
            ("monthly 32 04:00", "no month has that day"),
            ("every 7m", "does not come evenly"),
            ("every 90m", "does not come evenly"),
            ("every 48h", "does not come evenly"),
            ("every 10s", "no less than a minute"),
            ("every 0m", "no less than a minute"),
            ("every now", "is not a duration"),
            ("every", "is not a duration"),
        ] {
            let trouble = cron(words).unwrap_err();
            assert!(trouble.message().contains(why), "{words}: {trouble}");
            assert!(!trouble.hints().is_empty(), "{words}");
        }
    }
}

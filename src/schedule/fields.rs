//! The five fields of a cron expression as sets of numbers, read strictly: only what every cron program reads in the
//! same way. Printed again for cron, and for systemd's calendar.

use crate::base::{Result, Trouble};

/// What a field may hold.
struct Range {
    name: &'static str,
    min: u8,
    max: u8,
    names: &'static [&'static str],
}

const MONTHS: &[&str] = &[
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
pub const DAYS: &[&str] = &["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

const MINUTE: Range = Range { name: "minute", min: 0, max: 59, names: &[] };
const HOUR: Range = Range { name: "hour", min: 0, max: 23, names: &[] };
const DAY: Range = Range { name: "day of the month", min: 1, max: 31, names: &[] };
const MONTH: Range = Range { name: "month", min: 1, max: 12, names: MONTHS };
/// Sunday is 0; 7 is read as that.
const WEEKDAY: Range = Range { name: "day of the week", min: 0, max: 6, names: DAYS };

/// Days of each month, in a leap year.
const LENGTHS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Numbers from 0 to 59.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Set(u64);

impl Set {
    fn full(range: &Range) -> Set {
        Set((range.min..=range.max).fold(0, |bits, n| bits | 1 << n))
    }

    fn numbers(self) -> Vec<u8> {
        (0..64).filter(|n| self.0 >> n & 1 == 1).collect()
    }
}

/// The times at which something is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    minute: Set,
    hour: Set,
    day: Set,
    month: Set,
    weekday: Set,
}

impl Fields {
    /// Reads a cron expression of five fields.
    pub fn parse(expression: &str) -> Result<Fields> {
        let texts: Vec<&str> = expression.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = texts.as_slice() else {
            return Err(Trouble::usage(format!(
                "'{expression}' has {} fields; a cron expression has five",
                texts.len()
            ))
            .hint("minute, hour, day of the month, month, day of the week: \"30 2 * * 1-5\""));
        };
        let mut fields = Fields {
            minute: field(minute, &MINUTE)?,
            hour: field(hour, &HOUR)?,
            day: field(day, &DAY)?,
            month: field(month, &MONTH)?,
            weekday: field(weekday, &WEEKDAY)?,
        };
        let stepped = |text: &str| text.starts_with('*') && text != "*" && text != "*/1";
        if (stepped(day) && *weekday != "*") || (stepped(weekday) && *day != "*") {
            return Err(Trouble::usage(format!(
                "'{expression}': cron programs disagree on a step in one day field beside days in the other"
            ))
            .hint("write the days themselves: \"1,15\" or \"mon,thu\""));
        }
        // Two day fields that both name days mean "or", so all of one is all.
        let named = |text: &str| !text.starts_with('*');
        if named(day) && named(weekday) && (fields.any_day() || fields.any_weekday()) {
            (fields.day, fields.weekday) = (Set::full(&DAY), Set::full(&WEEKDAY));
        }
        // Beside a day of the week the day of the month is only one way to be due.
        if fields.any_weekday() && !fields.has_day() {
            return Err(Trouble::usage(format!("'{expression}' never comes: no such month has that day"))
                .hint("the last day of a month is between 28 and 31"));
        }
        Ok(fields)
    }

    fn any_day(&self) -> bool {
        self.day == Set::full(&DAY)
    }

    fn any_weekday(&self) -> bool {
        self.weekday == Set::full(&WEEKDAY)
    }

    /// Whether one of the months has one of the days.
    fn has_day(&self) -> bool {
        let first = self.day.numbers().first().copied().unwrap_or(u8::MAX);
        let fits = |month: &u8| LENGTHS.get(usize::from(*month) - 1).is_some_and(|days| first <= *days);
        self.month.numbers().iter().any(fits)
    }

    /// As cron reads it.
    pub fn cron(&self) -> String {
        [
            cron(self.minute, &MINUTE),
            cron(self.hour, &HOUR),
            cron(self.day, &DAY),
            cron(self.month, &MONTH),
            cron(self.weekday, &WEEKDAY),
        ]
        .join(" ")
    }

    /// As systemd reads it: one calendar expression, or two where cron means "this day of the month or that day of
    /// the week", which systemd reads as "and".
    pub fn calendar(&self) -> Vec<String> {
        let time = format!("{}:{}:00", calendar(self.hour, &HOUR), calendar(self.minute, &MINUTE));
        let month = calendar(self.month, &MONTH);
        let by_date = format!("*-{month}-{} {time}", calendar(self.day, &DAY));
        let by_weekday = format!("{} *-{month}-* {time}", weekdays(self.weekday));
        match (self.any_day(), self.any_weekday()) {
            (_, true) => vec![by_date],
            (false, false) if self.has_day() => vec![by_date, by_weekday],
            (_, false) => vec![by_weekday],
        }
    }
}

fn field(text: &str, range: &Range) -> Result<Set> {
    let bad = |why: &str| {
        Trouble::usage(format!("'{text}' is no {}: {why}", range.name)).hint(format!(
            "numbers from {} to {}, as \"*\", \"5\", \"1-5\", \"1,15\" or \"*/10\"",
            range.min, range.max
        ))
    };
    let mut bits = 0;
    for part in text.split(',') {
        let (body, step) = match part.split_once('/') {
            None => (part, 1),
            Some((body, step)) => {
                let step =
                    step.parse::<u8>().ok().filter(|s| *s > 0).ok_or_else(|| bad("a step is a number"))?;
                if body != "*" && !body.contains('-') {
                    return Err(bad("a step belongs to \"*\" or to a range"));
                }
                (body, step)
            }
        };
        let number = |word: &str| number(word, range).ok_or_else(|| bad(&format!("'{word}' is not known")));
        let (first, last) = match body.split_once('-') {
            _ if body == "*" => (range.min, range.max),
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(body)?, number(body)?),
        };
        // Only at the end of a range is Sunday after Saturday.
        let last = if last == 0 && first > 0 && range.name == WEEKDAY.name { 7 } else { last };
        if first > last {
            return Err(bad("a range goes from the smaller to the greater"));
        }
        for n in (first..=last).step_by(usize::from(step)) {
            bits |= 1 << if n > range.max { range.min } else { n };
        }
    }
    Ok(Set(bits))
}

fn number(word: &str, range: &Range) -> Option<u8> {
    let word = word.to_ascii_lowercase();
    let named = |name: &&str| **name == *word || name.get(..3) == Some(word.as_str());
    if let Some(at) = range.names.iter().position(named) {
        return Some(range.min + at as u8);
    }
    if !word.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let n: u8 = word.parse().ok()?;
    let sunday = n == 7 && range.name == WEEKDAY.name;
    ((range.min..=range.max).contains(&n) || sunday).then_some(n)
}

/// The distance of numbers that go on evenly to the end of the range, if there are enough to call it a step.
fn step(numbers: &[u8], range: &Range) -> Option<u8> {
    let (first, second, last) = (numbers.first()?, numbers.get(1)?, numbers.last()?);
    let step = second - first;
    let even = numbers.windows(2).all(|pair| pair[1] - pair[0] == step);
    (numbers.len() > 2 && step > 1 && even && u16::from(*last) + u16::from(step) > u16::from(range.max))
        .then_some(step)
}

/// Numbers with long runs written as ranges.
fn runs(numbers: &[u8], between: &str, word: impl Fn(u8) -> String) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut rest = numbers;
    while let Some(first) = rest.first() {
        let run = (0_u8..).zip(rest).take_while(|(at, n)| first + at == **n).count();
        let (now, later) = rest.split_at(run);
        match now {
            [first, .., last] if run > 2 => words.push(format!("{}{between}{}", word(*first), word(*last))),
            _ => words.extend(now.iter().map(|n| word(*n))),
        }
        rest = later;
    }
    words.join(",")
}

fn cron(set: Set, range: &Range) -> String {
    let numbers = set.numbers();
    // In the day fields a star means more than its numbers.
    let plain = range.name != DAY.name && range.name != WEEKDAY.name;
    match step(&numbers, range) {
        _ if set == Set::full(range) => String::from("*"),
        Some(step) if plain && numbers.first() == Some(&range.min) => format!("*/{step}"),
        _ => runs(&numbers, "-", |n| n.to_string()),
    }
}

fn calendar(set: Set, range: &Range) -> String {
    let numbers = set.numbers();
    match (step(&numbers, range), numbers.first()) {
        _ if set == Set::full(range) => String::from("*"),
        (Some(step), Some(first)) => format!("{first:02}/{step}"),
        _ => runs(&numbers, "..", |n| format!("{n:02}")),
    }
}

/// systemd's week begins on Monday.
fn weekdays(set: Set) -> String {
    let mut numbers: Vec<u8> = set.numbers().into_iter().map(|n| if n == 0 { 7 } else { n }).collect();
    numbers.sort_unstable();
    runs(&numbers, "..", |n| {
        let name = DAYS.get(usize::from(n % 7)).and_then(|d| d.get(..3)).unwrap_or_default();
        format!("{}{}", name[..1].to_uppercase(), &name[1..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_read_and_printed_for_both() {
        for (given, cron, calendar) in [
            ("0 2 * * *", "0 2 * * *", &["*-*-* 02:00:00"] as &[&str]),
            ("*/15 * * * *", "*/15 * * * *", &["*-*-* *:00/15:00"]),
            ("5-59/15 */6 * * *", "5,20,35,50 */6 * * *", &["*-*-* 00/6:05/15:00"]),
            ("0 6 * * mon-FRI", "0 6 * * 1-5", &["Mon..Fri *-*-* 06:00:00"]),
            ("30 3 * * 7", "30 3 * * 0", &["Sun *-*-* 03:30:00"]),
            ("0 0 * * fri-sun", "0 0 * * 0,5,6", &["Fri..Sun *-*-* 00:00:00"]),
            ("0 0 * * 0-7", "0 0 * * *", &["*-*-* 00:00:00"]),
            ("0 4 1 * *", "0 4 1 * *", &["*-*-01 04:00:00"]),
            ("0 4 29 2 *", "0 4 29 2 *", &["*-02-29 04:00:00"]),
            ("0 4 */10 * *", "0 4 1,11,21,31 * *", &["*-*-01/10 04:00:00"]),
            ("0 4 1 1,july * ", "0 4 1 1,7 *", &["*-01,07-01 04:00:00"]),
            ("0 4 1,15 * mon", "0 4 1,15 * 1", &["*-*-01,15 04:00:00", "Mon *-*-* 04:00:00"]),
            ("0 4 31 2 mon", "0 4 31 2 1", &["Mon *-02-* 04:00:00"]),
            ("0 4 1-31 * mon", "0 4 * * *", &["*-*-* 04:00:00"]),
            ("0-59 * * */3 *", "* * * */3 *", &["*-01/3-* *:*:00"]),
        ] {
            let fields = Fields::parse(given).unwrap();
            assert_eq!(
                (fields.cron().as_str(), fields.calendar()),
                (cron, calendar.iter().map(|c| (*c).to_owned()).collect()),
                "{given}"
            );
            assert_eq!(Fields::parse(cron).unwrap(), fields, "{given}: what is printed is read as the same");
        }
    }

    #[test]
    fn what_programs_read_differently_is_refused() {
        for (given, why) in [
            ("", "has 0 fields"),
            ("0 2 * *", "has 4 fields"),
            ("0 0 2 * * *", "has 6 fields"),
            ("60 2 * * *", "'60' is no minute"),
            ("0 24 * * *", "'24' is no hour"),
            ("0 0 0 * *", "'0' is no day of the month"),
            ("0 0 * 13 *", "'13' is no month"),
            ("0 0 * * 8", "'8' is no day of the week"),
            ("0 0 * * fri-mon", "a range goes from"),
            ("5/15 * * * *", "a step belongs to"),
            ("*/0 * * * *", "a step is a number"),
            ("0 0 L * *", "'L' is not known"),
            ("0 0 * * mon#2", "'mon#2' is not known"),
            ("0 0 ? * *", "'?' is not known"),
            ("+1 0 * * *", "'+1' is not known"),
            ("1, 0 * * *", "'' is not known"),
            ("0 0 */2 * mon", "disagree"),
            ("0 0 1 * */2", "disagree"),
            ("0 0 31 2 *", "never comes"),
            ("0 0 30,31 feb *", "never comes"),
            ("0 0 31 4,6,9,11 *", "never comes"),
        ] {
            let trouble = Fields::parse(given).unwrap_err();
            assert!(trouble.message().contains(why), "{given}: {trouble}");
            assert!(!trouble.hints().is_empty(), "{given}");
        }
    }
}

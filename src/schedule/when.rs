//! A schedule: what was written, the cron expression that it stands for, and the times at which it is due.

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, JobType};
use jiff::Zoned;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::fields::Fields;
use super::words;
use crate::base::{Result, Trouble};

/// When something is due.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// As it was written.
    pub text: String,
    fields: Fields,
    cron: Cron,
}

impl Schedule {
    /// Reads words or a cron expression; one that never comes is refused.
    pub fn parse(text: &str) -> Result<Schedule> {
        let fields = Fields::parse(&words::cron(text)?)?;
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&fields.cron()).map_err(|e| Trouble::usage(format!("'{text}': {e}")))?;
        // It stands in a comment: a line break must not come with it.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Schedule { text, fields, cron })
    }

    /// The expression, in the form that every cron reads alike.
    pub fn cron(&self) -> String {
        self.fields.cron()
    }

    /// systemd's calendar expressions for the same times.
    pub fn calendar(&self) -> Vec<String> {
        self.fields.calendar()
    }

    /// When it is due next, in the zone of `after`.
    pub fn next(&self, after: &Zoned) -> Option<Zoned> {
        self.cron.find_next_occurrence(after, false).ok()
    }

    /// When it was due last.
    pub fn previous(&self, before: &Zoned) -> Option<Zoned> {
        self.cron.find_previous_occurrence(before, true).ok()
    }

    /// The next day, within two years, on which a clock that is set forward skips a time that is due: cron makes up
    /// for it, systemd leaves it out.
    pub fn skipped(&self, now: &Zoned) -> Option<(Zoned, Time)> {
        // What comes all day long misses nothing.
        if self.cron.determine_job_type() != JobType::FixedTime {
            return None;
        }
        let zone: &TimeZone = now.time_zone();
        let end = now.timestamp().as_second() + 2 * 366 * 86_400;
        let changes = zone.following(now.timestamp()).take_while(|t| t.timestamp().as_second() < end);
        for change in changes {
            let after = change.timestamp().to_zoned(zone.clone());
            let before = change.timestamp() - jiff::SignedDuration::from_secs(1);
            let length = after.offset().seconds() - zone.to_offset(before).seconds();
            if length <= 0 {
                continue;
            }
            // On a clock that is not set forward, what of it is due in the skipped span?
            let from = zone.to_offset(before).to_datetime(change.timestamp());
            let flat = |time: jiff::civil::DateTime| time.to_zoned(TimeZone::UTC).ok();
            let missed = flat(from)
                .and_then(|from| self.cron.find_next_occurrence(&from, true).ok())
                .map(|due| due.datetime());
            if let Some(missed) = missed
                && missed < from + jiff::SignedDuration::from_secs(i64::from(length))
            {
                return Some((after, missed.time()));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse().unwrap()
    }

    #[test]
    fn times_follow_the_clock_on_the_wall() {
        for (on, from, next) in [
            ("daily 12:00", "2026-03-28T13:00[Europe/Berlin]", "2026-03-29T12:00+02:00[Europe/Berlin]"),
            // The clock skips that hour: cron runs it when the hour is over.
            ("daily 02:30", "2026-03-28T13:00[Europe/Berlin]", "2026-03-29T03:00+02:00[Europe/Berlin]"),
            ("daily 02:30", "2026-03-29T13:00[Europe/Berlin]", "2026-03-30T02:30+02:00[Europe/Berlin]"),
            // The hour comes twice: once is enough.
            ("daily 02:30", "2026-10-25T00:00[Europe/Berlin]", "2026-10-25T02:30+02:00[Europe/Berlin]"),
            ("daily 02:30", "2026-10-25T02:30+02:00[Europe/Berlin]", "2026-10-26T02:30+01:00[Europe/Berlin]"),
            ("every 30m", "2026-10-25T02:30+02:00[Europe/Berlin]", "2026-10-25T02:00+01:00[Europe/Berlin]"),
            ("monthly 31 04:00", "2026-04-01T00:00[UTC]", "2026-05-31T04:00+00:00[UTC]"),
            ("0 4 29 2 *", "2026-04-01T00:00[UTC]", "2028-02-29T04:00+00:00[UTC]"),
            ("0 4 13 * fri", "2026-04-01T00:00[UTC]", "2026-04-03T04:00+00:00[UTC]"),
            ("0 4 13 * fri", "2026-04-12T00:00[UTC]", "2026-04-13T04:00+00:00[UTC]"),
        ] {
            let found = Schedule::parse(on).unwrap().next(&at(from)).unwrap();
            assert_eq!(found, at(next), "{on} after {from}");
        }
        let nightly = Schedule::parse(" daily\n02:30").unwrap();
        assert_eq!(nightly.text, "daily 02:30");
        let found = nightly.previous(&at("2026-03-31T02:30[Europe/Berlin]")).unwrap();
        assert_eq!(found, at("2026-03-31T02:30[Europe/Berlin]"));
        let found = nightly.previous(&at("2026-03-30T02:00[Europe/Berlin]")).unwrap();
        assert_eq!(found, at("2026-03-29T03:00[Europe/Berlin]"));
    }

    #[test]
    fn an_hour_that_is_skipped_is_known_beforehand() {
        for (on, from, skipped) in [
            ("daily 02:00", "2026-06-01T00:00[Europe/Berlin]", Some("2027-03-28 02:00")),
            ("daily 02:59", "2026-06-01T00:00[America/New_York]", Some("2027-03-14 02:59")),
            ("daily 03:00", "2026-06-01T00:00[Europe/Berlin]", None),
            ("daily 01:59", "2026-06-01T00:00[Europe/Berlin]", None),
            ("weekdays 02:00", "2026-06-01T00:00[Europe/Berlin]", None),
            ("daily 02:00", "2026-06-01T00:00[UTC]", None),
            ("every 15m", "2026-06-01T00:00[Europe/Berlin]", None),
        ] {
            let found = Schedule::parse(on).unwrap().skipped(&at(from));
            let found = found.map(|(day, time)| format!("{} {}", day.date(), time.strftime("%H:%M")));
            assert_eq!(found.as_deref(), skipped, "{on} from {from}");
        }
    }
}

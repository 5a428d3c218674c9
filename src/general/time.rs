//! `time`: the clock, waiting, points in time and durations.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned, civil};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::argument::Span;
use crate::base::{Result, Trouble, words};
use crate::site::Cx;

/// Tells the time.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NowArgs {
    /// Time zone such as `"Europe/Berlin"`. Default: that of this machine.
    zone: Option<String>,
}

/// A point in time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Moment {
    /// Seconds since 1970.
    seconds: f64,
    /// In RFC 3339 with the zone's offset, such as `2026-03-01T12:00:00+01:00`.
    rfc3339: String,
    /// The time zone's name.
    zone: String,
    /// Year.
    year: i16,
    /// Month, from 1.
    month: i8,
    /// Day of the month, from 1.
    day: i8,
    /// Hour.
    hour: i8,
    /// Minute.
    minute: i8,
    /// Second.
    second: i8,
    /// Day of the week: 1 is Monday, 7 is Sunday.
    weekday: i8,
}

impl Moment {
    fn of(at: &Zoned) -> Moment {
        Moment {
            seconds: at.timestamp().as_microsecond() as f64 / 1e6,
            rfc3339: at.timestamp().display_with_offset(at.offset()).to_string(),
            zone: at.time_zone().iana_name().unwrap_or("unnamed").to_owned(),
            year: at.year(),
            month: at.month(),
            day: at.day(),
            hour: at.hour(),
            minute: at.minute(),
            second: at.second(),
            weekday: at.weekday().to_monday_one_offset(),
        }
    }
}

fn zone(name: Option<&str>) -> Result<TimeZone> {
    match name {
        None => Ok(TimeZone::system()),
        Some(name) => TimeZone::get(name).map_err(|_| {
            Trouble::usage(format!("time zone '{name}' is not known"))
                .hint("write a name of the IANA database: \"UTC\", \"Europe/Berlin\"")
        }),
    }
}

pub async fn now(cx: Cx, args: NowArgs) -> Result<Moment> {
    Ok(Moment::of(&cx.world.clock.now().to_zoned(zone(args.zone.as_deref())?)))
}

/// Waits. Other tasks go on meanwhile.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SleepArgs {
    /// How long: seconds or words such as `"5m"`.
    span: Span,
}

pub async fn sleep(cx: Cx, args: SleepArgs) -> Result<()> {
    // A plan need not wait for what it only pretends.
    if !cx.world.hands.pretends() {
        tokio::time::sleep(args.span.0).await;
    }
    Ok(())
}

/// Reads a point in time.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ParseArgs {
    /// The text: RFC 3339, or a date and time without offset.
    text: String,
    /// How it is written, in `strptime` notation such as `"%d.%m.%Y %H:%M"`.
    format: Option<String>,
    /// Time zone of a text without offset, and of the result. Default: that of this machine.
    zone: Option<String>,
}

pub async fn parse(_cx: Cx, args: ParseArgs) -> Result<Moment> {
    let zone = zone(args.zone.as_deref())?;
    let text = args.text.trim();
    let bad = |e: jiff::Error| Trouble::usage(format!("'{text}' is not a point in time: {e}"));
    let local = |at: civil::DateTime, zone: &TimeZone| at.to_zoned(zone.clone()).map_err(bad);
    let at = match args.format.as_deref() {
        Some(format) => {
            let parts = jiff::fmt::strtime::parse(format, text).map_err(bad)?;
            match parts.to_timestamp() {
                Ok(at) if parts.offset().is_some() => at.to_zoned(zone),
                _ => {
                    let date = parts.to_date().map_err(bad)?;
                    local(date.to_datetime(parts.to_time().unwrap_or(civil::Time::midnight())), &zone)?
                }
            }
        }
        None => match text.parse::<Timestamp>() {
            Ok(at) => at.to_zoned(zone),
            Err(_) => local(text.parse::<civil::DateTime>().map_err(bad)?, &zone)?,
        },
    };
    Ok(Moment::of(&at))
}

/// Writes a point in time.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct FormatArgs {
    /// Seconds since 1970.
    seconds: f64,
    /// In `strftime` notation. Default: RFC 3339.
    format: Option<String>,
    /// Time zone. Default: that of this machine.
    zone: Option<String>,
}

pub async fn format(_cx: Cx, args: FormatArgs) -> Result<String> {
    let micros = args.seconds * 1e6;
    let at = Timestamp::from_microsecond(micros.round() as i64)
        .ok()
        .filter(|_| micros.is_finite())
        .ok_or_else(|| Trouble::usage(format!("{} is not a point in time", args.seconds)))?
        .to_zoned(zone(args.zone.as_deref())?);
    match args.format.as_deref() {
        None => Ok(Moment::of(&at).rfc3339),
        Some(format) => jiff::fmt::strtime::format(format, &at)
            .map_err(|e| Trouble::usage(format!("'{format}' is not a format of time: {e}"))),
    }
}

/// Reads a duration in words as seconds.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SpanArgs {
    /// Words such as `"2h 30m"`, or seconds.
    span: Span,
}

pub async fn span(_cx: Cx, args: SpanArgs) -> Result<f64> {
    Ok(args.span.0.as_secs_f64())
}

/// Writes a duration as words, such as `1m 30s`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WordsArgs {
    /// Seconds.
    seconds: Span,
}

pub async fn in_words(_cx: Cx, args: WordsArgs) -> Result<String> {
    Ok(words::span(args.seconds.0))
}

//! What checks compare their measures with. Each threshold has a name, a type and a documented default; an
//! unknown name or a value of another type is refused, because a mistyped limit would silently be no limit.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::base::{Kind, Result, Trouble, words};

/// How much must be free: a share, or an amount.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Room {
    Percent(f64),
    Amount(u64),
}

impl Room {
    /// Less is free than must be.
    pub fn short(self, free: u64, total: u64) -> bool {
        match self {
            Room::Percent(share) => (free as f64) * 100.0 < share * (total as f64),
            Room::Amount(least) => free < least,
        }
    }

    pub fn show(self, bytes: bool) -> String {
        match self {
            Room::Percent(share) => format!("{share}%"),
            Room::Amount(least) if bytes => words::size(least),
            Room::Amount(least) => least.to_string(),
        }
    }

    fn read(value: &Value) -> Result<Room> {
        if let Some(number) = value.as_u64() {
            return Ok(Room::Amount(number));
        }
        let text = value.as_str().unwrap_or_default().trim();
        if let Some(share) = text.strip_suffix('%') {
            return match share.trim().parse::<f64>() {
                Ok(share) if (0.0..=100.0).contains(&share) => Ok(Room::Percent(share)),
                _ => Err(Trouble::usage(format!("'{text}' is not a share between 0% and 100%"))),
            };
        }
        words::parse_size(text).map(Room::Amount).map_err(|_| {
            Trouble::usage(format!("{value} is neither a share nor an amount"))
                .hint("write a share (\"10%\") or an amount (\"50 GiB\"); both mean what must be free")
        })
    }
}

/// The effective thresholds of one sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    pub disk_warn: Room,
    pub disk_fail: Room,
    pub inodes_warn: Room,
    pub inodes_fail: Room,
    pub failures_warn: u64,
    pub mirror_slow: Duration,
    pub program_limit: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Thresholds {
            disk_warn: Room::Percent(10.0),
            disk_fail: Room::Percent(3.0),
            inodes_warn: Room::Percent(10.0),
            inodes_fail: Room::Percent(3.0),
            failures_warn: 1,
            mirror_slow: Duration::from_secs(5),
            program_limit: Duration::from_secs(10),
        }
    }
}

/// What a threshold's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdType {
    /// `"10%"`, `"50 GiB"`, or a whole number.
    Room,
    /// A whole number.
    Count,
    /// `"5s"`, `"1m"`, or seconds.
    Span,
}

/// A threshold as it is documented.
#[derive(Serialize, JsonSchema)]
pub struct Known {
    pub name: &'static str,
    /// What it means.
    pub doc: &'static str,
    /// What it is unless somebody says otherwise.
    pub default: &'static str,
    #[serde(rename = "type")]
    pub kind: ThresholdType,
    #[serde(skip)]
    put: fn(&mut Thresholds, &Value) -> Result<()>,
}

/// All thresholds.
pub const KNOWN: &[Known] = &[
    Known {
        name: "disk_warn",
        doc: "Warn when less space than this is free.",
        default: "10%",
        kind: ThresholdType::Room,
        put: |t, v| Room::read(v).map(|r| t.disk_warn = r),
    },
    Known {
        name: "disk_fail",
        doc: "Fail when less space than this is free.",
        default: "3%",
        kind: ThresholdType::Room,
        put: |t, v| Room::read(v).map(|r| t.disk_fail = r),
    },
    Known {
        name: "inodes_warn",
        doc: "Warn when fewer inodes than this are free.",
        default: "10%",
        kind: ThresholdType::Room,
        put: |t, v| Room::read(v).map(|r| t.inodes_warn = r),
    },
    Known {
        name: "inodes_fail",
        doc: "Fail when fewer inodes than this are free.",
        default: "3%",
        kind: ThresholdType::Room,
        put: |t, v| Room::read(v).map(|r| t.inodes_fail = r),
    },
    Known {
        name: "failures_warn",
        doc: "Warn from this many failure marks on.",
        default: "1",
        kind: ThresholdType::Count,
        put: |t, v| count(v).map(|n| t.failures_warn = n),
    },
    Known {
        name: "mirror_slow",
        doc: "Warn when a mirror takes longer than this to answer.",
        default: "5s",
        kind: ThresholdType::Span,
        put: |t, v| span(v).map(|d| t.mirror_slow = d),
    },
    Known {
        name: "program_limit",
        doc: "How long a compiler or tool may take to state its version.",
        default: "10s",
        kind: ThresholdType::Span,
        put: |t, v| span(v).map(|d| t.program_limit = d),
    },
];

impl Thresholds {
    /// The site file's over the defaults, `given` over both.
    pub fn read(site: &BTreeMap<String, Value>, given: &BTreeMap<String, Value>) -> Result<Thresholds> {
        let mut out = Thresholds::default();
        let in_site_file = |t: Trouble| {
            let place = Trouble::new(Kind::Configuration, format!("site file: {}", t.message()));
            t.hints().iter().fold(place, Trouble::hint)
        };
        for (name, value) in site {
            out.put(name, value).map_err(in_site_file)?;
        }
        for (name, value) in given {
            out.put(name, value)?;
        }
        Ok(out)
    }

    fn put(&mut self, name: &str, value: &Value) -> Result<()> {
        let known = KNOWN.iter().find(|k| k.name == name);
        let known = known.ok_or_else(|| Trouble::unknown("threshold", name, KNOWN.iter().map(|k| k.name)))?;
        (known.put)(self, value).map_err(|t| t.about(format!("threshold {name}")))
    }

    /// As scripts get them.
    pub fn shown(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("disk_warn", self.disk_warn.show(true)),
            ("disk_fail", self.disk_fail.show(true)),
            ("inodes_warn", self.inodes_warn.show(false)),
            ("inodes_fail", self.inodes_fail.show(false)),
            ("failures_warn", self.failures_warn.to_string()),
            ("mirror_slow", words::span(self.mirror_slow)),
            ("program_limit", words::span(self.program_limit)),
        ])
    }
}

fn count(value: &Value) -> Result<u64> {
    let text = value.as_str().and_then(|t| t.trim().parse().ok());
    value.as_u64().or(text).ok_or_else(|| Trouble::usage(format!("{value} is not a whole number")))
}

/// A time limit given as `"5s"` or in seconds.
pub fn span(value: &Value) -> Result<Duration> {
    if let Some(seconds) = value.as_f64() {
        return Duration::try_from_secs_f64(seconds)
            .map_err(|_| Trouble::usage(format!("{value} is not a time span")));
    }
    words::parse_span(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn given(name: &str, value: Value) -> Result<Thresholds> {
        Thresholds::read(&BTreeMap::new(), &BTreeMap::from([(name.to_owned(), value)]))
    }

    #[test]
    fn the_documented_defaults_are_the_defaults() {
        for known in KNOWN {
            assert_eq!(
                given(known.name, json!(known.default)).unwrap(),
                Thresholds::default(),
                "{}",
                known.name
            );
        }
        let shown = Thresholds::default().shown();
        assert!(KNOWN.iter().all(|k| shown.contains_key(k.name)) && shown.len() == KNOWN.len());
    }

    #[test]
    fn values_are_typed() {
        assert_eq!(given("disk_warn", json!("20 GiB")).unwrap().disk_warn, Room::Amount(20 << 30));
        assert_eq!(given("disk_warn", json!(1024)).unwrap().disk_warn, Room::Amount(1024));
        assert_eq!(given("disk_fail", json!("2.5%")).unwrap().disk_fail, Room::Percent(2.5));
        assert_eq!(given("mirror_slow", json!(2)).unwrap().mirror_slow, Duration::from_secs(2));
        for (name, value) in [
            ("disk_warn", json!("a lot")),
            ("disk_warn", json!("120%")),
            ("disk_warn", json!("-1%")),
            ("disk_warn", json!(true)),
            ("failures_warn", json!("many")),
            ("failures_warn", json!(-1)),
            ("mirror_slow", json!("soon")),
            ("mirror_slow", json!(-5)),
        ] {
            let error = given(name, value.clone()).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{name} = {value}");
            assert!(error.message().contains(name), "{error}");
        }
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_nearest() {
        let error = given("disk_wran", json!("5%")).unwrap_err();
        assert_eq!(
            (error.kind(), error.hints()),
            (Kind::UnknownName, &["did you mean 'disk_warn'?".to_owned()][..])
        );
        let site = BTreeMap::from([("inode_warn".to_owned(), json!("5%"))]);
        let error = Thresholds::read(&site, &BTreeMap::new()).unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.message().starts_with("site file: "), "{error}");
        assert_eq!(error.hints(), ["did you mean 'inodes_warn'?"]);
    }

    #[test]
    fn room_is_short_only_below_the_limit() {
        for (room, free, total, short) in [
            (Room::Percent(10.0), 10, 100, false),
            (Room::Percent(10.0), 9, 100, true),
            (Room::Percent(0.0), 0, 100, false),
            (Room::Amount(50), 50, 100, false),
            (Room::Amount(50), 49, 100, true),
        ] {
            assert_eq!(room.short(free, total), short, "{room:?} {free}/{total}");
        }
    }
}

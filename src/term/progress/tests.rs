use std::io::{self, Write};

use super::board::Row;
use super::layout::{Size, elapsed, lines, still};
use super::screen::Screen;
use super::*;
use crate::world::scope::cancel::Cancel;
use crate::world::scope::event::Unit;

fn at(step: &str, path: &str) -> Place {
    let step = (!step.is_empty()).then(|| step.to_owned());
    Place { step, path: path.to_owned() }
}

fn started(what: &str) -> Event {
    Event::Started { what: what.to_owned() }
}

fn package(name: &str, number: u32, of: u32) -> Event {
    Event::PackageStarted {
        name: name.to_owned(),
        hash: Some(format!("{name}-hash")),
        number: Some(number),
        of: Some(of),
    }
}

fn installed(name: &str) -> Event {
    Event::PackageFinished { name: name.to_owned(), hash: Some(format!("{name}-hash")) }
}

fn phase(name: &str, phase: &str) -> Event {
    Event::PackagePhase { name: name.to_owned(), phase: phase.to_owned() }
}

fn step(name: &str) -> Event {
    Event::StepStarted { name: name.to_owned() }
}

fn item(done: Option<u64>) -> Event {
    let (what, name, unit) = (String::from("copy"), String::from("/sw/views"), Unit::Bytes);
    match done {
        None => Event::ItemStarted { what, name, total: Some(4 << 20), unit },
        Some(done) => Event::ItemProgress { what, name, done, total: None, unit },
    }
}

/// What a board shows after these events, each a second after the one before it.
fn board(events: &[(Place, Event)]) -> (Board, Instant) {
    let mut board = Board::default();
    let mut now = Instant::now();
    for (place, event) in events {
        board.see(event, place, now);
        now += Duration::from_secs(1);
    }
    (board, now)
}

fn told(board: &Board) -> Vec<String> {
    let line = |row: &Row| {
        let measure =
            row.measure.map(|m| format!(" {}/{}", m.done, m.total.unwrap_or(0))).unwrap_or_default();
        let phase = if row.phase.is_empty() { String::new() } else { format!(": {}", row.phase) };
        format!("{}{}{phase}{measure}", "  ".repeat(row.depth), row.name)
    };
    board.rows().iter().map(line).collect()
}

/// Three steps side by side, each with an installation of ten packages.
fn crowd() -> (Board, Instant) {
    let mut events = Vec::new();
    for (n, name) in ["toolchain", "scientific-stack-with-a-very-long-name", "büro"].iter().enumerate() {
        let own = at(name, &n.to_string());
        events.push((at("", ""), step(name)));
        events.push((own.clone(), started("spack install")));
        for number in 1..=10 {
            let package_name = format!("py-some-long-package-name-{n}-{number}");
            events.push((own.clone(), package(&package_name, number, 10)));
            events.push((own.clone(), phase(&package_name, "build")));
        }
    }
    board(&events)
}

#[test]
fn no_line_is_wider_than_the_terminal_and_some_stay_free() {
    let (board, now) = crowd();
    let rows = board.rows();
    assert_eq!(rows.len(), 36);
    for width in [0, 1, 2, 5, 20, 40, 80, 200] {
        for height in [0, 1, 5, 24, 200] {
            for colour in [false, true] {
                let drawn = lines(&rows, Size { width, height }, colour, now);
                let most = height.saturating_sub(3).clamp(2, 20);
                assert!((1..=most).contains(&drawn.len()), "{width}×{height}: {drawn:#?}");
                for line in &drawn {
                    assert!(console::measure_text_width(line) < width.max(1), "{width}: {line}");
                    assert!(colour || !line.contains('\u{1b}'), "{line:?}");
                }
                if width >= 20 {
                    assert!(drawn.last().unwrap().contains("more"), "{drawn:#?}");
                    assert!(drawn[0].contains("toolchain"), "{drawn:#?}");
                }
            }
        }
    }
}

#[test]
fn lines_at_several_widths() {
    let own = at("build", "1");
    let (board, now) = board(&[
        (at("", ""), step("build")),
        (own.clone(), started("spack install")),
        (own.clone(), package("zlib-ng", 1, 4)),
        (own.clone(), installed("zlib-ng")),
        (own.clone(), package("gromacs", 2, 4)),
        (own, phase("gromacs", "build")),
        (at("copy", "2"), item(None)),
        (at("copy", "2"), item(Some(1 << 20))),
    ]);
    let now = now + Duration::from_secs(57);
    let drawn = |width| lines(&board.rows(), Size { width, height: 24 }, false, now);
    assert_eq!(
        drawn(80),
        [
            "⠋ build               1m05s",
            "  ⠋ spack install     █████░░░░░░░░░░░░░░░  1 of 4  1m04s",
            "      gromacs: build  1m01s",
            "  copy /sw/views      ███░░░░░░░░░░  1.0 MiB of 4.0 MiB  59s",
        ]
    );
    assert_eq!(
        drawn(40),
        [
            "⠋ build               1m05s",
            "  ⠋ spack install     1 of 4  1m04s",
            "      gromacs: build  1m01s",
            "  copy /sw/views      59s",
        ]
    );
    assert_eq!(
        drawn(20),
        ["⠋ build       1m05s", "  ⠋ spack i…  1m04s", "      groma…  1m01s", "  copy /sw/vi…  59s"]
    );
    assert_eq!(drawn(200)[3], "  copy /sw/views      █████░░░░░░░░░░░░░░░  1.0 MiB of 4.0 MiB  59s");
}

#[test]
fn what_runs_side_by_side_is_kept_apart() {
    let (one, two) = (at("one", "1"), at("two", "1"));
    let start = [
        (at("", ""), step("one")),
        (at("", ""), step("two")),
        (one.clone(), started("spack install")),
        (two.clone(), started("spack install")),
        (two.clone(), package("hdf5", 1, 2)),
        (one.clone(), package("zlib", 1, 1)),
        (two.clone(), phase("hdf5", "cmake")),
    ];
    let (mut board, now) = board(&start);
    let whole = ["one", "  spack install 0/1", "    zlib", "two", "  spack install 0/2", "    hdf5: cmake"];
    assert_eq!(told(&board), whole);
    // What was dropped in the middle ends from nowhere, and its packages go with it.
    board.see(&Event::Finished { what: "spack install".into(), seconds: 1.0, ok: false }, &one, now);
    assert_eq!(told(&board), [whole[0], whole[3], whole[4], whole[5]]);
    board.see(&Event::Finished { what: "spack install".into(), seconds: 1.0, ok: false }, &at("", ""), now);
    assert_eq!(told(&board), ["one", "two"]);
    for name in ["one", "two"] {
        let (name, state) = (name.to_owned(), "ok".to_owned());
        board.see(&Event::StepFinished { name, state, seconds: 1.0 }, &at("", ""), now);
    }
    assert!(board.is_empty());
}

#[test]
fn checks_are_one_row_with_the_slowest() {
    let check = |name: &str| Event::CheckStarted { name: name.to_owned() };
    let ended = |name: &str| Event::CheckFinished { name: name.into(), status: "pass".into(), seconds: 0.0 };
    let (mut board, now) = board(&[
        (at("", "1.1"), check("disk")),
        (at("", "1.2"), check("store")),
        (at("", "1.10"), check("locks")),
        // Part of a check; the other is not, although its path begins alike.
        (at("", "1.2.1"), started("spack find")),
        (at("", "1.3"), started("spack spec")),
        (at("", "1.1"), ended("disk")),
    ]);
    assert_eq!(told(&board), ["checks: store 1/3", "spack spec"]);
    board.see(&ended("store"), &at("", "1.2"), now);
    assert_eq!(told(&board)[0], "checks: locks 2/3");
    board.see(&ended("locks"), &at("", "1.10"), now);
    board.see(&check("disk"), &at("", "2.1"), now);
    assert_eq!(told(&board)[0], "checks: disk 0/1");
}

#[test]
fn a_line_of_life_says_what_and_for_how_long() {
    let own = at("", "1");
    let (board, now) = board(&[
        (own.clone(), started("spack install")),
        (own.clone(), package("gromacs", 4, 10)),
        (own, phase("gromacs", "build")),
    ]);
    let now = now + Duration::from_mins(3);
    assert_eq!(
        still(&board.rows(), now).unwrap(),
        "spack install: still running after 3m, 0 of 10, gromacs: build"
    );
    assert_eq!(still(&[], now), None);
    let (board, now) = crowd();
    let text = still(&board.rows(), now).unwrap();
    assert!(text.ends_with("27 more") && !text.contains('\n'), "{text}");
}

#[test]
fn times_stay_as_wide_as_they_were() {
    for (seconds, text) in [(0, "0s"), (59, "59s"), (65, "1m05s"), (3720, "1h02m"), (180_000, "2d02h")] {
        assert_eq!(elapsed(Duration::from_secs(seconds)), text);
    }
}

#[test]
fn a_terminal_is_as_it_was_once_the_lines_are_gone() {
    let (board, now) = crowd();
    for (width, height) in [(20, 5), (40, 24), (80, 24), (200, 5)] {
        let terminal = indicatif::InMemoryTerm::new(height, width);
        let mut screen = Screen::on_memory(terminal.clone());
        let size = Size { width: width.into(), height: height.into() };
        let drawn = lines(&board.rows(), size, true, now);
        screen.show(drawn.clone(), size, now);
        let seen: Vec<String> = terminal.contents().lines().map(str::to_owned).collect();
        let plain: Vec<String> =
            drawn.iter().map(|l| console::strip_ansi_codes(l).trim_end().to_owned()).collect();
        assert_eq!(seen, plain);
        // Fewer lines leave nothing behind of the longer picture.
        screen.show(drawn[..1].to_vec(), size, now + screen::PERIOD);
        assert_eq!(terminal.contents().lines().count(), 1);
        // Too soon: nothing is drawn.
        screen.show(drawn.clone(), size, now + screen::PERIOD);
        assert_eq!(terminal.contents().lines().count(), 1);
        screen.clear();
        assert_eq!(terminal.contents(), "");
    }
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn progress(detail: Detail, events: bool) -> (Progress, Kept) {
    let err = Kept::default();
    let mut printer = Printer::to(Box::new(io::sink()), Box::new(err.clone()), detail, false);
    printer.events = events;
    (Progress::new(Arc::new(printer), Clock::default()), err)
}

#[test]
fn a_quiet_log_gets_a_line_a_minute() {
    let (progress, err) = progress(Detail::Normal, false);
    progress.see(&started("spack install"));
    let begin = Instant::now();
    for (seconds, said) in [(10, 0), (59, 0), (61, 1)] {
        assert!(progress.0.tick(begin + Duration::from_secs(seconds)));
        assert_eq!(err.text().matches("still running").count(), said, "{}", err.text());
    }
    assert!(err.text().starts_with("20") && err.text().ends_with("after 1m\n"), "{}", err.text());
    progress.see(&Event::Finished { what: "spack install".into(), seconds: 61.0, ok: true });
    assert!(!progress.0.tick(begin + Duration::from_secs(200)));
    let (progress, err) = self::progress(Detail::Quiet, false);
    progress.see(&started("spack install"));
    progress.0.tick(begin + Duration::from_secs(100));
    assert_eq!(err.text(), "");
}

#[test]
fn what_was_never_told_to_end_is_forgotten_when_all_rests() {
    let (progress, _) = progress(Detail::Normal, false);
    progress.see(&step("left"));
    assert!(progress.0.tick(Instant::now()));
    progress.0.printer.rest();
    assert!(!progress.0.tick(Instant::now()));
}

#[test]
fn events_are_lines_for_programs_with_step_and_time() {
    let (progress, err) = progress(Detail::Normal, true);
    let inside = Cancel::root(None).step("build");
    let work = async { inside.enter(async { progress.see(&started("spack install")) }).await };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work);
    progress.see(&Event::Line { stream: crate::world::scope::event::Stream::Stdout, text: "==> x".into() });
    progress.0.printer.warn("beware");
    progress.0.printer.trouble(&crate::base::Trouble::cancelled(), &|_| None);
    let seen: Vec<serde_json::Value> =
        err.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = seen.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["started", "line", "message", "error"]);
    assert_eq!(seen[0]["step"], "build");
    assert!(seen.iter().all(|line| line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok()));
}

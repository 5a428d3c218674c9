use super::*;
use std::sync::Arc;

/// Keeps what was written; breaks like a pipe after so many bytes.
#[derive(Clone)]
pub struct Kept(Arc<Mutex<Vec<u8>>>, usize);

impl Kept {
    fn new(limit: usize) -> Kept {
        Kept(Arc::default(), limit)
    }
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap();
        if kept.len() + bytes.len() > self.1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        kept.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn printer(limit: usize, detail: Detail, json: bool) -> (Printer, Kept, Kept) {
    let (out, err) = (Kept::new(limit), Kept::new(usize::MAX));
    (Printer::to(Box::new(out.clone()), Box::new(err.clone()), detail, json), out, err)
}

#[test]
fn results_and_the_rest_go_apart() {
    for (detail, expected) in [
        (Detail::Quiet, "warning: w\n"),
        (Detail::Normal, "n\nwarning: w\n"),
        (Detail::Verbose, "n\nd\nwarning: w\n"),
    ] {
        let (printer, out, err) = printer(999, detail, false);
        printer.note("n");
        printer.detail("d");
        printer.warn("w");
        printer.result("r").unwrap();
        assert_eq!((out.text().as_str(), err.text().as_str()), ("r\n", expected));
    }
}

#[test]
fn a_closed_pipe_stops_the_output_and_nothing_else() {
    let (printer, out, err) = printer(10, Detail::Normal, false);
    printer.result("short").unwrap();
    assert!(!printer.is_closed());
    printer.result(&"long".repeat(100)).unwrap();
    assert!(printer.is_closed());
    printer.result("x").unwrap();
    assert_eq!((out.text().as_str(), err.text().as_str()), ("short\n", ""));
}

#[test]
fn bars_make_way_and_are_gone_at_the_end() {
    let (mut printer, out, err) = printer(999, Detail::Normal, false);
    printer.live = true;
    let begin = Instant::now();
    printer.show(vec!["building".to_owned()], begin);
    printer.result("r").unwrap();
    // Too soon to be drawn again: the next drawing brings it back.
    assert_eq!(out.text(), "r\n");
    let drawn = format!("building{}\r\x1b[2K", " ".repeat(72));
    assert_eq!(err.text(), drawn);
    printer.show(vec!["building".to_owned()], begin + Duration::from_millis(150));
    printer.end();
    printer.show(vec!["too late".to_owned()], begin + Duration::from_secs(9));
    assert_eq!(err.text(), format!("{drawn}{drawn}"));
}

//! The output of a guest: each line is printed with the name of the run and the seconds since the start.

use std::io::{self, Write};
use std::time::Instant;

use super::test_times::TestTimes;

/// The output so far.
pub(super) struct GuestOutput {
    /// The text before each line.
    name: String,
    start: Instant,
    times: TestTimes,
    text: String,
    /// Bytes of `text` that are printed.
    shown: usize,
}

impl GuestOutput {
    pub(super) fn new(name: &str) -> Self {
        let start = Instant::now();
        Self {
            name: name.to_owned(),
            start,
            times: TestTimes::new(start),
            text: String::new(),
            shown: 0,
        }
    }

    /// Returns the durations of the tests.
    pub(super) const fn times(&self) -> &TestTimes {
        &self.times
    }

    /// Returns all output.
    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Write for GuestOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.push_str(&String::from_utf8_lossy(bytes));
        while let Some(length) = self.text[self.shown..].find('\n') {
            let line = &self.text[self.shown..self.shown + length];
            let now = Instant::now();
            self.times.line(line, now);
            let seconds = now.duration_since(self.start).as_secs();
            println!("{:>13} {seconds:>4} | {line}", self.name);
            self.shown += length + 1;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_complete_lines_are_shown() {
        let mut lines = GuestOutput::new("newest");
        lines.write_all(b"one\ntw").unwrap();
        assert_eq!(lines.shown, 4);
        lines.write_all(b"o\n").unwrap();
        assert_eq!((lines.shown, lines.text.as_str()), (8, "one\ntwo\n"));
    }
}

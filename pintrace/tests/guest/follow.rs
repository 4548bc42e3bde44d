//! Reading a recording while it grows, each event once.

use std::fs::File;
use std::io::{self, Read};
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use pintrace_events::{Body, Event};
use pintrace_export::json;
use pintrace_model::Model;
use pintrace_model::snapshot::Snapshot;
use pintrace_record::{ReadError, Reader};

use crate::harness::{PATIENCE, Report, STEP, wait_for};
use crate::sums::disagreements;
use crate::tick_sums::TickSums;

/// Most ticks in a row whose sums may disagree: a processor of a guest may be paused inside a hook that has counted a call for
/// its owner, and not yet in the totals ([`TickSums`]).
const MOST_DISAGREEING: u64 = 10;

/// Reads a recording in a separate thread, like `pintrace report`.
pub(crate) struct Follower {
    folded: Arc<(Mutex<Folded>, Condvar)>,
    /// The recording has ended.
    is_whole: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), ReadError>>,
}

/// The model of the events up to the latest tick.
#[derive(Default)]
struct Folded {
    model: Model,
    ticks: u64,
    sums: TickSums,
}

impl Follower {
    /// Starts to read a file as soon as it exists.
    pub(crate) fn start(path: &Path) -> Self {
        let folded = Arc::<(Mutex<Folded>, Condvar)>::default();
        let is_whole = Arc::<AtomicBool>::default();
        let input = Growing {
            file: wait_for("the file", || File::open(path).ok()),
            is_whole: Arc::clone(&is_whole),
        };
        let to = Arc::clone(&folded);
        let thread = thread::spawn(move || fold(input, &to));
        Self {
            folded,
            is_whole,
            thread,
        }
    }

    /// Returns the number of ticks so far. Between two ticks, everything is sampled once.
    pub(crate) fn ticks(&self) -> u64 {
        self.folded.0.lock().unwrap().ticks
    }

    /// Returns the report of the first tick from `tick` on for which `claim` is true.
    pub(crate) fn once(&self, tick: u64, what: &str, claim: impl Fn(&Report) -> bool) -> Report {
        let until = Instant::now() + PATIENCE;
        let (mutex, grown) = &*self.folded;
        let mut folded = mutex.lock().unwrap();
        let (mut seen, mut disagreeing) = (None, 0);
        loop {
            folded.sums.assert_agree();
            if folded.ticks >= tick && seen != Some(folded.ticks) {
                let text = json::render(&folded.model.snapshot(), false).unwrap();
                let document = serde_json::from_str(&text).unwrap();
                seen = Some(folded.ticks);
                if disagreements(&document).is_empty() || disagreeing == MOST_DISAGREEING {
                    disagreeing = 0;
                    let report = Report::new(document);
                    if claim(&report) {
                        return report;
                    }
                } else {
                    disagreeing += 1;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            let waiting = left > Duration::ZERO && !self.thread.is_finished();
            assert!(waiting, "waited for {what} until tick {}", folded.ticks);
            folded = grown.wait_timeout(folded, left).unwrap().0;
        }
    }

    /// Returns the state at the latest tick.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.folded.0.lock().unwrap().model.snapshot()
    }

    /// Reads the rest of a recording that has ended, and returns its report.
    pub(crate) fn finish(self) -> Report {
        self.is_whole.store(true, Ordering::Release);
        self.thread.join().unwrap().unwrap();
        let mut folded = self.folded.0.lock().unwrap();
        folded.sums.assert_agree();
        let model = &mut folded.model;
        Report::from_json(&json::render(&model.snapshot(), true).unwrap())
    }
}

/// Applies all events of a tick at once, so that no reader sees a part of a tick.
fn fold(input: Growing, to: &(Mutex<Folded>, Condvar)) -> Result<(), ReadError> {
    let mut sampled: Vec<Event> = Vec::new();
    for event in Reader::new(input)? {
        let event = event?;
        let is_tick = matches!(event.body, Body::Tick);
        let is_last = matches!(event.body, Body::Stopped(_));
        sampled.push(event);
        if is_tick || is_last {
            let mut folded = to.0.lock().unwrap();
            for event in mem::take(&mut sampled) {
                folded.model.apply(&event);
            }
            folded.ticks += u64::from(is_tick);
            let snapshot = folded.model.snapshot();
            folded.sums.add(&snapshot);
            drop(folded);
            to.1.notify_all();
        }
    }
    Ok(())
}

/// A file whose end is reached only when its recording has ended.
struct Growing {
    file: File,
    is_whole: Arc<AtomicBool>,
}

impl Read for Growing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            // Loaded before the read, so that the read sees all data that was written before the recording ended.
            let is_whole = self.is_whole.load(Ordering::Acquire);
            let length = self.file.read(buffer)?;
            if length > 0 || is_whole {
                return Ok(length);
            }
            thread::sleep(STEP);
        }
    }
}

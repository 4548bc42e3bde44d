//! Takes samples of the own cost.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pintrace_bpf::own_objects::{self, OwnObject};
use pintrace_bpf::ring_fill::RingFill;
use pintrace_events::units::Nanos;
use pintrace_kernel::own_process;
use pintrace_model::own_cost::{OwnCost, ProcessCost, RingFill as Fill};
use rustix::time::{ClockId, clock_gettime};

use super::attention::Attention;
use super::maps::Maps;
use super::programs::Programs;
use super::run_time::{Circumstances, RunTimeMeter};
use super::statistics::StatisticsProcess;
use crate::pipeline::session::Session;
use crate::pipeline::stream_header::now;

/// The time between two lists of programs and maps, which take a read of /proc for each descriptor of the process.
const LISTED_EVERY: Duration = Duration::from_secs(10);

/// Measures the own cost.
#[derive(Debug)]
pub struct Meter {
    proc: PathBuf,
    attention: Attention,
    programs: Programs,
    run_time: RunTimeMeter<StatisticsProcess>,
    maps: Maps,
    ring: Option<Arc<RingFill>>,
    objects: Vec<OwnObject>,
    listed: Option<Instant>,
    /// Time and CPU time at the first and at the last sample.
    first: Option<(Nanos, Nanos)>,
    last: Option<(Nanos, Nanos)>,
    cost: OwnCost,
}

impl Meter {
    /// Measures the programs and maps of a session and this process. Starts the process that enables the kernel's BPF
    /// statistics, so the caller has not dropped its privileges yet. With
    /// `no_sandbox`, that process is not restricted.
    pub fn of(session: &Session, proc: PathBuf, attention: Attention, no_sandbox: bool) -> Self {
        Self {
            attention,
            programs: Programs::new(session.programs()),
            run_time: RunTimeMeter::new(StatisticsProcess::start(no_sandbox)),
            maps: Maps::default(),
            ring: session.ring_fill(),
            objects: Vec::new(),
            listed: None,
            first: None,
            last: None,
            cost: OwnCost {
                cpus: own_process::online_cpus(&proc),
                ..OwnCost::default()
            },
            proc,
        }
    }

    /// Takes a sample.
    pub fn sample(&mut self) -> OwnCost {
        let looked_at = self.attention.is_paid(Instant::now());
        let is_old = |listed: Instant| looked_at && listed.elapsed() >= LISTED_EVERY;
        if self.listed.is_none_or(is_old) {
            self.list();
        }
        let at = Circumstances {
            now: now(),
            looked_at,
            always_on: own_process::has_bpf_statistics(&self.proc),
        };
        let read = || self.programs.counts(&self.objects);
        self.run_time.sample(at, read);
        self.complete(at.now)
    }

    /// Takes the last sample, which ends a measurement in progress. Its share of CPU time is that of all samples, because
    /// the time since the sample before may be short.
    pub fn end(&mut self) -> OwnCost {
        let now = now();
        let read = || self.programs.counts(&self.objects);
        self.run_time.end(now, read);
        self.last = self.first;
        self.complete(now)
    }

    fn list(&mut self) {
        self.listed = Some(Instant::now());
        match own_objects::list(&self.proc) {
            Ok(objects) => {
                self.cost.maps = self.maps.memory(&objects);
                self.cost.maps_unread.clear();
                self.objects = objects;
            }
            Err(error) => self.cost.maps_unread = format!("cannot read /proc/self/fdinfo: {error}."),
        }
    }

    fn complete(&mut self, now: Nanos) -> OwnCost {
        self.cost.run_time = self.run_time.results.clone();
        self.cost.process = self.process(now);
        self.cost.ring = self.ring.as_ref().map(|ring| Fill {
            size: ring.size(),
            used: ring.note(),
            most: ring.most(),
        });
        self.cost.clone()
    }

    fn process(&mut self, now: Nanos) -> ProcessCost {
        let cpu = cpu_time();
        self.first.get_or_insert((now, cpu));
        let (then, cpu_then) = self.last.replace((now, cpu)).unwrap_or((now, cpu));
        ProcessCost {
            cpu,
            cpu_of_interval: cpu.since(cpu_then),
            interval: now.since(then),
            resident: own_process::resident_bytes(&self.proc),
        }
    }
}

/// Returns the CPU time of all threads of this process: the sum of `utime` and `stime` of /proc/self/stat, which has it
/// in units of 10 ms.
fn cpu_time() -> Nanos {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Nanos(seconds * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0))
}

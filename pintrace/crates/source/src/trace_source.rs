//! Traces the running kernel: loads and attaches the programs, finds the vmstat baseline, and reads records and maps.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aya::maps::{MapData, RingBuf};
use aya::{Btf, Ebpf};
use pintrace_common::counters::Loss;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use pintrace_events::BalanceSampled;
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_kernel::layout::UnknownLayout;
use pintrace_kernel::page_size::{self, UnsupportedPageSize};
use pintrace_kernel::pid_namespace;
use pintrace_probes::apply;
use pintrace_probes::load::{self, Layouts, LoadError, Loaded};
use pintrace_probes::options::LoadOptions;
use pintrace_probes::outcome::{self, HookOutcome, HookStatus};
use pintrace_probes::program_code::{self, ProgramCode};
use pintrace_probes::program_ids;
use pintrace_probes::table::{Hook, MIGRATION, Purpose};

use super::baseline::{Adjustment, Baseline, Reading, Totals};
use super::code_kinds;
use super::decode::{self, Record};
use super::ended_calls::EndedCalls;
use super::ledger::{Ledger, LedgerError, ring};
use super::mm_events::MmEventTables;
use super::skipped::Skipped;
use super::test_pins::{self, TestPins};
use pintrace_bpf::prog_info;
use pintrace_bpf::ring_fill::RingFill;
use pintrace_kernel::vmstat::VmstatReader;

mod waiting;

pub use waiting::Due;

/// Why the kernel cannot be traced.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The pages of the kernel have an unsupported size.
    #[error(transparent)]
    PageSize(#[from] UnsupportedPageSize),
    /// A structure of the kernel has an unknown layout.
    #[error(transparent)]
    Layout(#[from] UnknownLayout),
    /// The eBPF object cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A map of the object cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The programs report pids that /proc does not know.
    #[error(
        "pids and names of traced processes would be wrong: {}",
        pid_namespace::OUTSIDE
    )]
    PidNamespace,
    /// No hook on a pin or unpin function could be attached.
    #[error("no pin or unpin function can be traced on this kernel: {reason}")]
    NothingAttached {
        /// Why the first missing hook could not be attached.
        reason: String,
        /// The outcome of each hook.
        outcomes: Vec<HookOutcome>,
    },
}

/// Most readings taken to find the baseline, and the most time that the readings may take.
const CALIBRATION_READINGS: usize = 16;
const CALIBRATION_TIME: Duration = Duration::from_millis(500);
/// Most readings that a sample takes to find vmstat and ledger in agreement.
const SAMPLE_READINGS: usize = 4;

/// A traced kernel. The programs are detached when the value is dropped, or when the process dies.
pub struct TraceSource {
    ledger: Ledger,
    ring: RingBuf<MapData>,
    /// `None` if the positions of the ring buffer cannot be read.
    ring_fill: Option<Arc<RingFill>>,
    ended_calls: EndedCalls,
    mm_events: MmEventTables,
    outcomes: Vec<HookOutcome>,
    test_pins: Vec<TestPins>,
    vmstat: VmstatReader,
    baseline: Option<Baseline>,
    undecodable: u64,
    skipped: Skipped,
    mm_event_skipped: Skipped,
    #[cfg(feature = "bpf-log")]
    log: Option<pintrace_bpf::bpf_log::BpfLog>,
    // The last field, so that the links of the programs are dropped after all other fields.
    ebpf: Ebpf,
}

impl TraceSource {
    /// Loads and attaches the programs, takes test pins, opens the gate and finds the baseline.
    pub fn start(
        kernel: &Kernel,
        btf: &Btf,
        roots: &Roots,
        options: &LoadOptions,
    ) -> Result<Self, StartError> {
        page_size::check(page_size::of_machine())?;
        let layouts = Layouts::of(kernel)?;
        let Loaded { mut ebpf, backups } = load::load(&kernel.facts, &layouts, btf, options)?;
        #[cfg(feature = "bpf-log")]
        let log = options
            .bpf_log
            .then(|| pintrace_bpf::bpf_log::BpfLog::open(&mut ebpf))
            .flatten();
        // Before the first account: an account keeps the kind of its caller.
        code_kinds::write(&mut ebpf, &kernel.symbols)?;
        let outcomes = apply::attach(
            &mut ebpf,
            btf,
            apply::plan(&kernel.facts, &layouts, options),
            backups,
            options.findings_from,
        );
        if !outcome::sees_pins(&outcomes) {
            return Err(StartError::NothingAttached {
                reason: first_reason(&outcomes),
                outcomes,
            });
        }
        let vmstat = VmstatReader::new(&roots.proc);
        let test_pins = test_pins::run(&mut ebpf, &vmstat)?;
        let ring = ring(&mut ebpf)?;
        let mut source = Self {
            ledger: Ledger::take(&mut ebpf)?,
            ring_fill: RingFill::of(ring.as_fd()).ok().map(Arc::new),
            ring,
            ended_calls: EndedCalls::take(&mut ebpf)?,
            mm_events: MmEventTables::take(&mut ebpf)?,
            outcomes,
            test_pins,
            vmstat,
            baseline: None,
            undecodable: 0,
            skipped: Skipped::default(),
            mm_event_skipped: Skipped::default(),
            #[cfg(feature = "bpf-log")]
            log,
            ebpf,
        };
        source.skipped = Skipped::since(
            source.skipped_by(Hook::counts_pages)?,
            source.ledger.recovered_by_backup()?,
        );
        source.mm_event_skipped = Skipped::since(
            source.skipped_by(Hook::is_for_findings)?,
            source.ledger.mm_events_recovered_by_backup()?,
        );
        let counts_migrations = source.outcomes.iter().any(|outcome| {
            outcome.hook.function == MIGRATION && matches!(outcome.status, HookStatus::Attached(_))
        });
        source.ledger.open_gate(counts_migrations)?;
        source.calibrate()?;
        if source.baseline.is_none_or(|baseline| !baseline.shows_no_pins()) {
            source.attach_all();
        }
        Ok(source)
    }

    /// Returns the outcome of each hook: attached or not, and why.
    pub fn outcomes(&self) -> &[HookOutcome] {
        &self.outcomes
    }

    /// Returns the tests of the paths on which pins and releases must reach a hook.
    pub fn test_pins(&self) -> &[TestPins] {
        &self.test_pins
    }

    /// Returns the machine code of the attached programs.
    pub fn program_code(&self) -> Vec<ProgramCode> {
        program_code::of_loaded(&self.ebpf, &self.outcomes)
    }

    /// Returns the id and the purpose of each program that is attached or waits.
    pub fn programs(&self) -> Vec<(u32, Purpose)> {
        program_ids::of_loaded(&self.ebpf, &self.outcomes)
    }

    /// Returns the fill of the ring buffer; `None` if the positions of the ring buffer cannot be read.
    pub fn ring_fill(&self) -> Option<Arc<RingFill>> {
        self.ring_fill.clone()
    }

    /// Returns the maps of the ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Returns the maps of the ledger, to free account ids.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// Returns the maps of the finding hooks.
    pub fn mm_events_mut(&mut self) -> &mut MmEventTables {
        &mut self.mm_events
    }

    /// Returns the loaded object.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Returns a descriptor that is readable while the ring buffer holds records.
    pub fn poll_ring(&self) -> std::io::Result<AsyncFd<OwnedFd>> {
        let fd = self.ring.as_fd().try_clone_to_owned()?;
        // SAFETY: the AsyncFd owns the duplicated descriptor, so the descriptor stays open and unchanged.
        unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(Into::into)
    }

    /// Takes all records out of the ring buffer. A record that cannot be decoded counts as [`Loss::RecordUndecodable`].
    pub fn drain(&mut self) -> Vec<Record> {
        #[cfg(feature = "bpf-log")]
        if let Some(log) = &mut self.log {
            log.print();
        }
        if let Some(fill) = &self.ring_fill {
            fill.note();
        }
        let mut records = Vec::new();
        while let Some(bytes) = self.ring.next() {
            match decode::decode(&bytes) {
                Some(record) => records.push(record),
                None => self.undecodable += 1,
            }
        }
        records
    }

    /// Returns the balance of vmstat and ledger, adjusted by the reconciliations. Takes up to `SAMPLE_READINGS`
    /// readings while vmstat and ledger differ, because pins in flight pass.
    pub fn balance(&self, adjustment: Adjustment) -> Result<BalanceSampled, LedgerError> {
        let Some(baseline) = self.baseline else {
            return Ok(Baseline::without_vmstat(0, self.ledger.totals()?, adjustment));
        };
        let sample = baseline.nearest(SAMPLE_READINGS, adjustment, || self.reading())?;
        Ok(match sample {
            Some(sample) => sample,
            None => Baseline::without_vmstat(baseline.preexisting_held(), self.ledger.totals()?, adjustment),
        })
    }

    /// Returns the number of pages that were pinned at the start, by the vmstat counters; `None` where the counters
    /// cannot be read.
    pub fn preexisting_held(&self) -> Option<u64> {
        self.baseline.map(|baseline| baseline.preexisting_held())
    }

    /// Forgets the long-term calls that have ended although no hook saw their return, and counts them.
    pub fn forget_ended_calls(&self) -> Result<(), LedgerError> {
        self.ended_calls.forget(self.ledger.pin_calls())
    }

    /// Returns the hooks' totals without reading vmstat.
    pub fn totals(&self) -> Result<Totals, LedgerError> {
        self.ledger.totals()
    }

    /// Returns the losses since the start, by reason. The tracker counts `NameUnread`, and the recording counts
    /// `EventUnwritten`.
    pub fn losses(&mut self) -> Result<Vec<(Loss, u64)>, LedgerError> {
        let skipped = self.skipped()?;
        let mm_event_missed = self.skipped_by(Hook::is_for_findings)?;
        let recovered_by_backup = self.ledger.mm_events_recovered_by_backup()?;
        let mm_event_missed = self.mm_event_skipped.read(mm_event_missed, recovered_by_backup);
        let calls_missed = self.skipped_by(|hook| !hook.counts_pages() && !hook.is_for_findings())?;
        let counted = self.ledger.losses()?;
        let losses = Loss::ALL.iter().zip(counted).map(|(&loss, counted)| {
            let count = match loss {
                Loss::RecursionMissed => skipped,
                Loss::MmEventMissed => mm_event_missed,
                Loss::CallsMissed => calls_missed,
                Loss::RecordUndecodable => self.undecodable,
                _ => counted,
            };
            (loss, count)
        });
        Ok(losses.collect())
    }

    fn calibrate(&mut self) -> Result<(), LedgerError> {
        let until = Instant::now() + CALIBRATION_TIME;
        let mut readings = Vec::new();
        while readings.len() < CALIBRATION_READINGS && Instant::now() < until {
            let Some(reading) = self.reading()? else {
                return Ok(());
            };
            readings.push(reading);
            // On an idle machine two readings that agree are enough.
            if let [.., one, two] = readings.as_slice()
                && one.is_quiet()
                && two.is_quiet()
                && one.vmstat == two.vmstat
            {
                break;
            }
        }
        self.baseline = Baseline::from_readings(&readings);
        Ok(())
    }

    fn reading(&self) -> Result<Option<Reading>, LedgerError> {
        let before = self.ledger.totals()?;
        let Some(vmstat) = self.vmstat.read() else {
            return Ok(None);
        };
        Ok(Some(Reading {
            before,
            vmstat,
            wanted_in_flight: self.ledger.pin_calls().wanted_in_flight()?,
            after: self.ledger.totals()?,
        }))
    }

    /// Returns the calls of pin and unpin hooks that the kernel skipped and no backup program counted.
    fn skipped(&mut self) -> Result<u64, LedgerError> {
        let skipped = self.skipped_by(Hook::counts_pages)?;
        let recovered_by_backup = self.ledger.recovered_by_backup()?;
        Ok(self.skipped.read(skipped, recovered_by_backup))
    }

    /// Returns the number of calls that the kernel skipped in the primary programs of certain hooks. An attached
    /// program whose counter cannot be read is an error, because the number of its skipped calls is then unknown.
    fn skipped_by(&self, which: impl Fn(&Hook) -> bool) -> Result<u64, LedgerError> {
        let mut skipped = 0;
        for (hook, attachment) in outcome::attachments(&self.outcomes) {
            if !which(hook) {
                continue;
            }
            let name = attachment.program;
            let unread = |why: String| LedgerError::ProgramInfo { name, why };
            let program = self
                .ebpf
                .program(name)
                .ok_or_else(|| unread("not in the eBPF object".to_owned()))?;
            let fd = program.fd().map_err(|error| unread(error.to_string()))?;
            let misses =
                prog_info::recursion_misses(fd.as_fd()).map_err(|error| unread(error.to_string()))?;
            // Before 5.12 the kernel skips no call of a trampoline program. A kprobe may be skipped without a count; the
            // difference to vmstat shows the call.
            skipped += misses.unwrap_or(0);
        }
        Ok(skipped)
    }
}

fn first_reason(outcomes: &[HookOutcome]) -> String {
    outcomes
        .iter()
        .find_map(|outcome| match &outcome.status {
            HookStatus::Missing(why) => Some(format!("{}: {why}", outcome.hook.function)),
            _ => None,
        })
        .unwrap_or_else(|| "the kernel has no such function".to_owned())
}

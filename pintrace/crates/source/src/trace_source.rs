//! The running kernel as a source: loaded, attached, calibrated, and read.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use aya::maps::{MapData, RingBuf};
use aya::{Btf, Ebpf};
use pintrace_common::counters::Loss;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use pintrace_events::BalanceSampled;
use pintrace_kernel::facts::{Kernel, Roots};
use pintrace_kernel::layout::UnknownLayout;
use pintrace_probes::apply::{self, HookOutcome, HookStatus};
use pintrace_probes::load::{self, Layouts, LoadError, LoadOptions};
use pintrace_probes::table::Hook;

use super::baseline::{Adjustment, Baseline, Reading, Totals};
use super::decode::{self, Record};
use super::ledger::{Ledger, LedgerError, ring};
use super::mm_events::MmEventTables;
use super::skipped::Skipped;
use pintrace_bpf::prog_info;
use pintrace_kernel::vmstat::VmstatReader;

/// Why the kernel cannot be traced.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Layout unknown.
    #[error(transparent)]
    Layout(#[from] UnknownLayout),
    /// Loading failed.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Tables unusable.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Neither pins nor releases can be seen.
    #[error("no pin or unpin function can be traced on this kernel: {reason}")]
    NothingAttached {
        /// Why the first could not be.
        reason: String,
        /// What became of each hook.
        outcomes: Vec<HookOutcome>,
    },
}

/// Readings taken to find the baseline, and how long that may take.
const CALIBRATION_READINGS: usize = 16;
const CALIBRATION_TIME: Duration = Duration::from_millis(500);
/// Readings that a sample may take to find vmstat and ledger in agreement.
const SAMPLE_READINGS: usize = 4;

/// A traced kernel. Everything is detached when it is dropped, or when the process dies.
pub struct TraceSource {
    ledger: Ledger,
    ring: RingBuf<MapData>,
    mm_events: MmEventTables,
    outcomes: Vec<HookOutcome>,
    vmstat: VmstatReader,
    baseline: Option<Baseline>,
    undecodable: u64,
    skipped: Skipped,
    mm_event_skipped: Skipped,
    #[cfg(feature = "bpf-log")]
    log: Option<pintrace_bpf::bpf_log::BpfLog>,
    // Last: its links go when everything else has.
    ebpf: Ebpf,
}

impl TraceSource {
    /// Loads and attaches everything, then opens the gate and finds the baseline.
    pub fn start(
        kernel: &Kernel,
        btf: &Btf,
        roots: &Roots,
        options: &LoadOptions,
    ) -> Result<Self, StartError> {
        let has_backups = kernel.facts.preemption;
        let layouts = Layouts::of(kernel)?;
        let mut ebpf = load::load(&kernel.facts, &layouts, btf, options)?;
        #[cfg(feature = "bpf-log")]
        let log = options
            .bpf_log
            .then(|| pintrace_bpf::bpf_log::BpfLog::open(&mut ebpf))
            .flatten();
        let outcomes = apply::attach(
            &mut ebpf,
            btf,
            apply::plan(&kernel.facts, &layouts, options),
            has_backups,
        );
        if !apply::sees_pins(&outcomes) {
            return Err(StartError::NothingAttached {
                reason: first_reason(&outcomes),
                outcomes,
            });
        }
        let mut source = Self {
            ledger: Ledger::take(&mut ebpf)?,
            ring: ring(&mut ebpf)?,
            mm_events: MmEventTables::take(&mut ebpf)?,
            outcomes,
            vmstat: VmstatReader::new(&roots.proc),
            baseline: None,
            undecodable: 0,
            skipped: Skipped::default(),
            mm_event_skipped: Skipped::default(),
            #[cfg(feature = "bpf-log")]
            log,
            ebpf,
        };
        source.skipped = Skipped::since(
            source.skipped_by(|hook| !hook.is_for_findings())?,
            source.ledger.recovered_by_backup()?,
        );
        source.mm_event_skipped = Skipped::since(
            source.skipped_by(Hook::is_for_findings)?,
            source.ledger.mm_events_recovered_by_backup()?,
        );
        source.ledger.open_gate()?;
        source.calibrate()?;
        Ok(source)
    }

    /// What was attached, and what was not.
    pub fn outcomes(&self) -> &[HookOutcome] {
        &self.outcomes
    }

    /// The kernel-side tables.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The kernel-side tables, to give ids back.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The tables behind the findings.
    pub fn mm_events_mut(&mut self) -> &mut MmEventTables {
        &mut self.mm_events
    }

    /// The loaded object.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Readable when records wait.
    pub fn poll_ring(&self) -> std::io::Result<AsyncFd<OwnedFd>> {
        let fd = self.ring.as_fd().try_clone_to_owned()?;
        // SAFETY: the descriptor is a duplicate that the AsyncFd owns, so it stays open and the same.
        unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(Into::into)
    }

    /// Takes all waiting records.
    pub fn drain(&mut self) -> Vec<Record> {
        #[cfg(feature = "bpf-log")]
        if let Some(log) = &mut self.log {
            log.print();
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

    /// Vmstat and ledger side by side, with what looking at memory has set right. Retried while they differ: what is under
    /// way settles.
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

    /// Pages that were pinned at the start, by the vmstat counters; `None` if they cannot be read.
    pub fn preexisting_held(&self) -> Option<u64> {
        self.baseline.map(|baseline| baseline.preexisting_held())
    }

    /// The hooks' totals alone: cheap.
    pub fn totals(&self) -> Result<Totals, LedgerError> {
        self.ledger.totals()
    }

    /// Everything lost so far, by reason; `NameUnread` and `EventUnwritten` are others' to count.
    pub fn losses(&mut self) -> Result<Vec<(Loss, u64)>, LedgerError> {
        let skipped = self.skipped()?;
        let mm_event_missed = self.skipped_by(Hook::is_for_findings)?;
        let recovered_by_backup = self.ledger.mm_events_recovered_by_backup()?;
        let mm_event_missed = self.mm_event_skipped.read(mm_event_missed, recovered_by_backup);
        Loss::ALL
            .iter()
            .map(|&loss| {
                let count = match loss {
                    Loss::RecursionMissed => skipped,
                    Loss::MmEventMissed => mm_event_missed,
                    Loss::RecordUndecodable => self.undecodable,
                    _ => self.ledger.loss(loss)?,
                };
                Ok((loss, count))
            })
            .collect()
    }

    fn calibrate(&mut self) -> Result<(), LedgerError> {
        let until = Instant::now() + CALIBRATION_TIME;
        let mut readings = Vec::new();
        while readings.len() < CALIBRATION_READINGS && Instant::now() < until {
            let Some(reading) = self.reading()? else {
                return Ok(());
            };
            readings.push(reading);
            // An idle machine needs no more than two readings that agree.
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
            after: self.ledger.totals()?,
        }))
    }

    /// Calls that the kernel skipped and no backup program made good.
    fn skipped(&mut self) -> Result<u64, LedgerError> {
        let skipped = self.skipped_by(|hook| !hook.is_for_findings())?;
        let recovered_by_backup = self.ledger.recovered_by_backup()?;
        Ok(self.skipped.read(skipped, recovered_by_backup))
    }

    /// Calls that the kernel skipped in the programs of certain hooks. A program that is attached and cannot be asked is an
    /// error: its figure is unknown, and not 0.
    fn skipped_by(&self, which: impl Fn(&Hook) -> bool) -> Result<u64, LedgerError> {
        let mut skipped = 0;
        for (hook, attachment) in apply::attachments(&self.outcomes) {
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
            // Kernels before 5.12 do not count skipped calls; the difference to vmstat shows them there.
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
        .unwrap_or_else(|| "it has none of them".to_owned())
}

//! Runs the programs that set the ledger right (`mend.rs` of the eBPF programs). It knows how, and not when or why.

use std::os::fd::AsFd as _;

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData};
use aya::programs::{Program, ProgramFd};
use pintrace_common::ledger::{CHUNK_PAGES, Chunk};
use pintrace_common::limits::COMM_BYTES;
use pintrace_common::reconcile::{FOLIOS, ReconcileRun};

use super::ledger::LedgerError;
use pintrace_bpf::pod;
use pintrace_bpf::test_run::test_run;

pod! {
    PodReconcileRun(ReconcileRun);
    PodChunk(Chunk);
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairedPins {
    /// Pins given to an account.
    pub added: u64,
    /// Pins that the ledger lacks still.
    pub missing: u64,
    /// Pins taken off their holders.
    pub dropped: u64,
}

impl std::ops::AddAssign for RepairedPins {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.missing += other.missing;
        self.dropped += other.dropped;
    }
}

/// Folios that lie at equal distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Struct page of the first one's head.
    pub page: u64,
    /// Bytes from one to the next.
    pub stride: u64,
    /// How many.
    pub folios: u64,
}

const OPEN: &str = "open_account";
const RECONCILE: &str = "reconcile";

/// The programs, loaded.
pub struct LedgerRepair {
    open: ProgramFd,
    reconcile: ProgramFd,
    map: Array<MapData, PodReconcileRun>,
    chunks: HashMap<MapData, u64, PodChunk>,
    /// Bytes of a struct page.
    page_struct: u64,
}

impl LedgerRepair {
    /// Their names.
    pub const PROGRAMS: &'static [&'static str] = &[OPEN, RECONCILE];

    /// Loads them out of a loaded object.
    pub fn take(ebpf: &mut Ebpf, page_struct: u64) -> Result<Self, LedgerError> {
        let map = |ebpf: &mut Ebpf, name| ebpf.take_map(name).ok_or(LedgerError::NoMap(name));
        Ok(Self {
            open: load(ebpf, OPEN)?,
            reconcile: load(ebpf, RECONCILE)?,
            map: map(ebpf, "RECONCILE")?.try_into()?,
            chunks: map(ebpf, "CHUNKS")?.try_into()?,
            page_struct,
        })
    }

    /// Opens an account of a process for pins that no hook saw; `caller` is one of [`pintrace_common::reconcile::caller`].
    /// `None` if there is no room.
    pub fn open_account(&mut self, tgid: u32, caller: u64, comm: &str) -> Result<Option<u32>, LedgerError> {
        let mut request = ReconcileRun::default();
        let length = comm.len().min(COMM_BYTES - 1);
        request.comm[..length].copy_from_slice(&comm.as_bytes()[..length]);
        self.map.set(0, PodReconcileRun(request), 0)?;
        test_run(self.open.as_fd(), &[u64::from(tgid), caller]).map_err(LedgerError::Run)?;
        let account = self.map.get(&0, 0)?.0.account;
        Ok(u32::try_from(account).ok().filter(|account| *account != 0))
    }

    /// Takes off what the ledger has too much, and gives what it lacks to an account, if one is named.
    pub fn reconcile(&self, stretch: Stretch, account: Option<u32>) -> Result<RepairedPins, LedgerError> {
        let mut all = RepairedPins::default();
        let mut done = 0;
        while done < stretch.folios {
            let folios = (stretch.folios - done).min(u64::from(FOLIOS));
            let page = stretch.page + done * stretch.stride;
            let account = u64::from(account.unwrap_or(0));
            test_run(self.reconcile.as_fd(), &[page, stretch.stride, folios, account])
                .map_err(LedgerError::Run)?;
            let ReconcileRun {
                added,
                missing,
                dropped,
                ..
            } = self.map.get(&0, 0)?.0;
            all += RepairedPins {
                added,
                missing,
                dropped,
            };
            done += folios;
        }
        Ok(all)
    }

    /// Takes off what the ledger has too much, on every folio that it has.
    pub fn drop_stale(&self) -> Result<u64, LedgerError> {
        let mut dropped = 0;
        for unit in self.chunks.keys() {
            let chunk = Stretch {
                page: unit? * CHUNK_PAGES as u64 * self.page_struct,
                stride: self.page_struct,
                folios: CHUNK_PAGES as u64,
            };
            dropped += self.reconcile(chunk, None)?.dropped;
        }
        Ok(dropped)
    }
}

fn load(ebpf: &mut Ebpf, name: &'static str) -> Result<ProgramFd, LedgerError> {
    let refused = |error: aya::programs::ProgramError| LedgerError::Program {
        name,
        why: pintrace_bpf::refusal::root_cause(&error),
    };
    match ebpf.program_mut(name) {
        Some(Program::RawTracePoint(program)) => {
            program.load().map_err(refused)?;
            let fd = program.fd().map_err(refused)?;
            fd.try_clone().map_err(LedgerError::Run)
        }
        _ => Err(LedgerError::NoMap(name)),
    }
}

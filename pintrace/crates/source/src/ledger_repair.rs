//! Runs the programs that correct the ledger (`ledger/reconcile.rs` of the eBPF crate). The callers decide when to run
//! the programs.

use std::os::fd::AsFd as _;

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData};
use aya::programs::ProgramFd;
use pintrace_common::ledger::{CHUNK_PAGES, Chunk, ChunkSlot};
use pintrace_common::limits::COMM_BYTES;
use pintrace_common::reconcile::{FOLIOS, ReconcileRun};

use super::ledger::LedgerError;
use super::run_program::load;
use pintrace_bpf::pod;
use pintrace_bpf::test_run::test_run;

pod! {
    PodReconcileRun(ReconcileRun);
    PodChunk(Chunk);
    PodChunkSlot(ChunkSlot);
}

/// The number of pins that a repair changed or could not change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RepairedPins {
    /// Pins added to an account.
    pub added: u64,
    /// Pins that the ledger still lacks, for want of an account or of room in a table.
    pub missing: u64,
    /// Pins removed from their owners.
    pub dropped: u64,
}

impl std::ops::AddAssign for RepairedPins {
    fn add_assign(&mut self, other: Self) {
        self.added += other.added;
        self.missing += other.missing;
        self.dropped += other.dropped;
    }
}

/// Folios whose head struct pages have equal distances, and the number of pins that a holder has on each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Address of the first head struct page.
    pub page: u64,
    /// Bytes between two head struct pages.
    pub stride: u64,
    /// Number of folios.
    pub folios: u64,
    /// Most pins of one folio that are added to an account.
    pub pins: u32,
}

const OPEN: &str = "open_account";
const RECONCILE: &str = "reconcile";

/// The loaded repair programs and their maps.
pub struct LedgerRepair {
    open: ProgramFd,
    reconcile: ProgramFd,
    map: Array<MapData, PodReconcileRun>,
    chunks: HashMap<MapData, u64, PodChunk>,
    chunk_slots: Array<MapData, PodChunkSlot>,
    /// Size of a struct page in bytes.
    page_struct: u64,
}

impl LedgerRepair {
    /// Names of the repair programs.
    pub const PROGRAMS: &'static [&'static str] = &[OPEN, RECONCILE];

    /// Loads the repair programs of a loaded object and takes their maps.
    pub fn take(ebpf: &mut Ebpf, page_struct: u64) -> Result<Self, LedgerError> {
        let map = |ebpf: &mut Ebpf, name| ebpf.take_map(name).ok_or(LedgerError::NoMap(name));
        Ok(Self {
            open: load(ebpf, OPEN)?,
            reconcile: load(ebpf, RECONCILE)?,
            map: map(ebpf, "RECONCILE")?.try_into()?,
            chunks: map(ebpf, "CHUNKS")?.try_into()?,
            chunk_slots: map(ebpf, "CHUNK_SLOTS")?.try_into()?,
            page_struct,
        })
    }

    /// Opens an account of a process for pins that no hook saw. `caller` is one of the constants of
    /// [`pintrace_common::reconcile::caller`], and `file` tells the open files of the process apart. Returns `None` if the
    /// account table is full.
    pub fn open_account(
        &mut self,
        tgid: u32,
        caller: u64,
        file: u32,
        comm: &str,
    ) -> Result<Option<u32>, LedgerError> {
        let mut request = ReconcileRun::default();
        let length = comm.len().min(COMM_BYTES - 1);
        request.comm[..length].copy_from_slice(&comm.as_bytes()[..length]);
        self.map.set(0, PodReconcileRun(request), 0)?;
        test_run(self.open.as_fd(), &[u64::from(tgid), caller, u64::from(file)]).map_err(LedgerError::Run)?;
        let account = self.map.get(&0, 0)?.0.account;
        Ok(u32::try_from(account).ok().filter(|account| *account != 0))
    }

    /// Drops the pins that the ledger has and the folios do not have. Adds the pins that the ledger lacks to `account`,
    /// if given.
    pub fn reconcile(&self, stretch: Stretch, account: Option<u32>) -> Result<RepairedPins, LedgerError> {
        let mut all = RepairedPins::default();
        let mut done = 0;
        while done < stretch.folios {
            let folios = (stretch.folios - done).min(u64::from(FOLIOS));
            let page = stretch.page + done * stretch.stride;
            let account = u64::from(account.unwrap_or(0));
            let arguments = [page, stretch.stride, folios, account, u64::from(stretch.pins)];
            test_run(self.reconcile.as_fd(), &arguments).map_err(LedgerError::Run)?;
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

    /// Drops the pins that the ledger has and the folios do not have, on every folio of the ledger. Returns the number
    /// of dropped pins.
    pub fn drop_stale(&self) -> Result<u64, LedgerError> {
        let mut dropped = 0;
        for unit in self.chunks.keys() {
            dropped += self.drop_stale_of_chunk(unit?)?;
        }
        for slot in 0..self.chunk_slots.len() {
            let unit = self.chunk_slots.get(&slot, 0)?.0.unit;
            if unit != 0 {
                dropped += self.drop_stale_of_chunk(unit)?;
            }
        }
        Ok(dropped)
    }

    fn drop_stale_of_chunk(&self, unit: u64) -> Result<u64, LedgerError> {
        let chunk = Stretch {
            page: unit * CHUNK_PAGES as u64 * self.page_struct,
            stride: self.page_struct,
            folios: CHUNK_PAGES as u64,
            pins: 0,
        };
        Ok(self.reconcile(chunk, None)?.dropped)
    }
}

//! The BPF maps of the ledger, read from user space and typed. No aya map but the ring buffer leaves this module.

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, Queue, RingBuf, StackTraceMap};
use pintrace_common::counters::{Loss, Total};
use pintrace_common::ledger::{Account, AccountKey, Extent, HookState, UnclearReleases};
use pintrace_common::limits;
use pintrace_common::reconcile::caller;

use super::baseline::Totals;
use super::pin_calls::PinCallTables;
use super::registrations::FailedRegistrations;
use pintrace_bpf::map_batch::Batch;
use pintrace_bpf::mapped_flags::MappedFlags;
use pintrace_bpf::pod;

pod! {
    PodAccount(Account);
    PodKey(AccountKey);
    PodExtent(Extent);
    PodHookState(HookState);
}

/// The ledger maps of one loaded eBPF object.
pub struct Ledger {
    state: Array<MapData, PodHookState>,
    totals: PerCpuArray<MapData, u64>,
    losses: Array<MapData, [u64; Loss::COUNT]>,
    account_ids: HashMap<MapData, PodKey, u32>,
    accounts: Array<MapData, PodAccount>,
    unclear_releases: Array<MapData, u64>,
    extents: Array<MapData, PodExtent>,
    changed_extents: MappedFlags,
    /// Programs that are loaded later need the descriptor.
    _changed_extents: Array<MapData, u64>,
    free_accounts: Queue<MapData, u32>,
    next_ids: Array<MapData, u64>,
    stacks: StackTraceMap<MapData>,
    more_stacks: StackTraceMap<MapData>,
    pin_calls: PinCallTables,
    failed_registrations: FailedRegistrations,
}

/// The pins for which hooks wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pins {
    /// An mm has pins.
    pub pin: bool,
    /// An mm or a file has extents.
    pub extent: bool,
    /// A long-term call has ended whose entry no hook saw.
    pub untimed_call: bool,
}

/// Pages that accounts hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldPages {
    /// Pages that all accounts hold.
    pub all: u64,
    /// Pages of `all` whose pins were taken before the start ([`caller::PREEXISTING`]).
    pub preexisting: u64,
}

/// Why a map or a program of the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The eBPF object has no map of this name.
    #[error("the eBPF object has no map {0}")]
    NoMap(&'static str),
    /// The eBPF object has no program of this name.
    #[error("the eBPF object has no program {0}")]
    NoProgram(&'static str),
    /// bpf(2) failed on a map.
    #[error("cannot use an eBPF map: {0}")]
    Map(#[from] MapError),
    /// The kernel refused to load a program that user space runs by `BPF_PROG_TEST_RUN`.
    #[error("the kernel refused the program {name}: {why}")]
    Program {
        /// Name of the program.
        name: &'static str,
        /// The kernel's reason.
        why: String,
    },
    /// `bpf_prog_info.recursion_misses` of a program cannot be read.
    #[error("cannot read how many calls of the program {name} the kernel skipped: {why}")]
    ProgramInfo {
        /// Name of the program.
        name: &'static str,
        /// The kernel's reason.
        why: String,
    },
    /// `BPF_MAP_LOOKUP_BATCH` failed.
    #[error("the kernel does not read many extents at once: {0}")]
    Batch(#[source] std::io::Error),
    /// mmap(2) of a map failed.
    #[error("the kernel does not share a map: {0}")]
    Flags(#[source] std::io::Error),
    /// `BPF_PROG_TEST_RUN` failed.
    #[error("the kernel does not run a program: {0}")]
    Run(#[source] std::io::Error),
}

pub(super) fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<aya::maps::Map, LedgerError> {
    ebpf.take_map(name).ok_or(LedgerError::NoMap(name))
}

/// Takes the ring buffer out of a loaded object.
pub fn ring(ebpf: &mut Ebpf) -> Result<RingBuf<MapData>, LedgerError> {
    Ok(take(ebpf, "RING")?.try_into()?)
}

impl Ledger {
    /// Takes the ledger maps out of a loaded object.
    pub fn take(ebpf: &mut Ebpf) -> Result<Self, LedgerError> {
        let changed_extents: Array<_, _> = take(ebpf, "CHANGED_EXTENTS")?.try_into()?;
        Ok(Self {
            state: take(ebpf, ".bss")?.try_into()?,
            totals: take(ebpf, "TOTALS")?.try_into()?,
            losses: take(ebpf, ".bss.losses")?.try_into()?,
            account_ids: take(ebpf, "ACCOUNT_IDS")?.try_into()?,
            accounts: take(ebpf, "ACCOUNTS")?.try_into()?,
            unclear_releases: take(ebpf, "UNCLEAR_RELEASES")?.try_into()?,
            extents: take(ebpf, "EXTENTS")?.try_into()?,
            changed_extents: MappedFlags::of(&changed_extents).map_err(LedgerError::Flags)?,
            _changed_extents: changed_extents,
            free_accounts: take(ebpf, "FREE_ACCOUNTS")?.try_into()?,
            next_ids: take(ebpf, "NEXT_IDS")?.try_into()?,
            stacks: take(ebpf, "STACKS")?.try_into()?,
            more_stacks: take(ebpf, "MORE_STACKS")?.try_into()?,
            pin_calls: PinCallTables::take(ebpf)?,
            failed_registrations: FailedRegistrations::take(ebpf)?,
        })
    }

    /// Opens the gate: the hooks count from now on.
    pub fn open_gate(&mut self, counts_migrations: bool) -> Result<(), LedgerError> {
        // While the gate is closed no hook changes the other words.
        let open = HookState {
            gate: 1,
            counts_migrations: u64::from(counts_migrations),
            ..HookState::ZERO
        };
        Ok(self.state.set(0, PodHookState(open), 0)?)
    }

    /// Returns the pins for which hooks wait.
    pub fn has_pins(&self) -> Result<Pins, LedgerError> {
        let state = self.state.get(&0, 0)?.0;
        Ok(Pins {
            pin: state.pinned_mms != 0,
            extent: state.range_filters != 0,
            untimed_call: state.untimed_calls != 0,
        })
    }

    /// Returns the hooks' page totals, summed over all CPUs.
    pub fn totals(&self) -> Result<Totals, LedgerError> {
        let total = |which: Total| -> Result<u64, LedgerError> {
            Ok(self.totals.get(&which.index(), 0)?.iter().sum())
        };
        // Releases are read before pins: a pin taken and released between the two readings would make the held pages
        // negative in the opposite order.
        let (released, preexisting_released) = (total(Total::Released)?, total(Total::PreexistingReleased)?);
        Ok(Totals {
            acquired: total(Total::Acquired)?,
            released,
            preexisting_released,
            not_in_vmstat: total(Total::NotInVmstat)?,
            gup_retry: total(Total::GupRetry)?,
            ambiguous_owner: total(Total::AmbiguousOwner)?,
        })
    }

    /// Returns the number of calls that the backup programs of the pin and unpin hooks counted because the kernel had
    /// skipped the primary program.
    pub fn recovered_by_backup(&self) -> Result<u64, LedgerError> {
        Ok(self
            .totals
            .get(&Total::RecoveredByBackup.index(), 0)?
            .iter()
            .sum())
    }

    /// Returns the same number for the hooks that look for findings.
    pub fn mm_events_recovered_by_backup(&self) -> Result<u64, LedgerError> {
        Ok(self
            .totals
            .get(&Total::MmEventRecoveredByBackup.index(), 0)?
            .iter()
            .sum())
    }

    /// Returns the losses that the programs counted, in the order of [`Loss::ALL`].
    pub fn losses(&self) -> Result<[u64; Loss::COUNT], LedgerError> {
        Ok(self.losses.get(&0, 0)?)
    }

    /// Returns the ids of all accounts that were ever opened. Some ids may be free.
    pub fn account_ids(&self) -> Result<std::ops::RangeInclusive<u32>, LedgerError> {
        let given = self
            .next_ids
            .get(&0, 0)?
            .min(u64::from(self.accounts.len()).saturating_sub(1));
        Ok(0..=u32::try_from(given).unwrap_or(u32::MAX))
    }

    /// Returns the tables of the pin calls.
    pub fn pin_calls(&self) -> &PinCallTables {
        &self.pin_calls
    }

    /// Returns the registrations that failed.
    pub fn failed_registrations(&self) -> &FailedRegistrations {
        &self.failed_registrations
    }

    /// Returns the registrations that failed, to remove some.
    pub fn failed_registrations_mut(&mut self) -> &mut FailedRegistrations {
        &mut self.failed_registrations
    }

    /// Returns the number of accounts that fit into the table.
    pub fn account_capacity(&self) -> usize {
        self.accounts.len() as usize
    }

    /// Reads one account.
    pub fn account(&self, id: u32) -> Result<Account, LedgerError> {
        Ok(self.accounts.get(&id, 0)?.0)
    }

    /// Returns the pages that were counted as released by other owners and that may have been this account's, since the
    /// account last held no pages.
    pub fn unclear_releases(&self, id: u32, account: &Account) -> Result<u64, LedgerError> {
        let counted = UnclearReleases(self.unclear_releases.get(&id, 0)?);
        Ok(counted.pages(account.held_since_ns))
    }

    /// Returns the pages that all accounts hold. The accounts are read one by one, so the sum is exact only if no page
    /// is pinned or released while the accounts are read.
    pub fn held(&self) -> Result<HeldPages, LedgerError> {
        let mut held = HeldPages::default();
        for id in self.account_ids()? {
            let account = self.account(id)?;
            let pages = account.acquired.saturating_sub(account.released);
            held.all += pages;
            if caller::origin(account.key.caller) == Some(caller::PREEXISTING) {
                held.preexisting += pages;
            }
        }
        Ok(held)
    }

    /// Returns the id of the account with this key.
    pub fn account_of(&self, key: AccountKey) -> Result<Option<u32>, LedgerError> {
        match self.account_ids.get(&PodKey(key), 0) {
            Ok(id) => Ok(Some(id)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the indices of all extents that were ever opened. Some indices may be free.
    pub fn extent_indices(&self) -> Result<std::ops::Range<u32>, LedgerError> {
        let given = self.next_ids.get(&1, 0)?.min(u64::from(self.extents.len()));
        Ok(0..u32::try_from(given).unwrap_or(u32::MAX))
    }

    /// Appends the indices of the extents that have changed since the last call, in ascending order. Read the extents
    /// after the call.
    pub fn take_changed_extents(&self, indices: &mut Vec<u32>) {
        self.changed_extents.take(indices);
    }

    /// Reads one extent, without the [`Extent::CALL_BIAS`] that a pin call in flight has added to `pages_held`.
    pub fn extent(&self, index: u32) -> Result<Extent, LedgerError> {
        Ok(without_bias(self.extents.get(&index, 0)?.0))
    }

    /// Reads the extents from index `first` on, [`ExtentBatch::EXTENTS`] at most, like [`Self::extent`] but in one
    /// system call.
    pub fn extents_from<'b>(
        &self,
        first: u32,
        batch: &'b mut ExtentBatch,
    ) -> Result<impl Iterator<Item = Extent> + 'b, LedgerError> {
        let extents = batch.0.read(&self.extents, first);
        let extents = extents.map_err(LedgerError::Batch)?;
        Ok(extents.iter().map(|extent| without_bias(extent.0)))
    }

    /// Frees the id of an account. The thread of the account must have ended: a living thread could still pin under
    /// `key`. A reading after the end of the thread must have shown that the account holds no pages: the owners of pages
    /// name the id, which the next account gets.
    pub fn free_account(&mut self, id: u32, key: AccountKey) -> Result<(), LedgerError> {
        // The key in the account is cleared first: programs compare that key with their own before they search
        // ACCOUNT_IDS.
        let mut account = self.account(id)?;
        self.pin_calls.forget(id, &account)?;
        account.key = AccountKey::default();
        self.accounts.set(id, PodAccount(account), 0)?;
        self.account_ids.remove(&PodKey(key))?;
        Ok(self.free_accounts.push(id, 0)?)
    }

    /// Returns the return addresses of a stack, innermost first; empty if the maps have no such stack.
    pub fn stack(&self, id: u32) -> Vec<u64> {
        let trace = match id.checked_sub(limits::STACKS) {
            None => self.stacks.get(&id, 0),
            Some(more) => self.more_stacks.get(&more, 0),
        };
        trace
            .map(|trace| trace.frames().iter().map(|frame| frame.ip).collect())
            .unwrap_or_default()
    }
}

/// Extents that were read together.
pub struct ExtentBatch(Batch<PodExtent>);

impl ExtentBatch {
    /// Number of extents that one system call reads.
    pub const EXTENTS: u32 = 512;
}

impl Default for ExtentBatch {
    fn default() -> Self {
        Self(Batch::of(Self::EXTENTS))
    }
}

/// Takes off the [`Extent::CALL_BIAS`] that a pin call in flight has added.
fn without_bias(mut extent: Extent) -> Extent {
    if extent.pages_held >= Extent::CALL_BIAS / 2 {
        extent.pages_held = extent.pages_held.wrapping_sub(Extent::CALL_BIAS);
        if extent.pages_held > u64::MAX / 2 {
            extent.pages_held = 0;
        }
    }
    extent
}

//! The kernel-side tables, read from user space. Typed; no aya type leaves this file but the ring.

use aya::Ebpf;
use aya::maps::{Array, HashMap, MapData, MapError, PerCpuArray, Queue, RingBuf, StackTraceMap};
use pintrace_common::counters::{Loss, Total};
use pintrace_common::ledger::{Account, AccountKey, Extent};
use pintrace_common::reconcile::caller;

use super::baseline::Totals;
use pintrace_bpf::pod;

pod! {
    PodAccount(Account);
    PodKey(AccountKey);
    PodExtent(Extent);
}

/// The tables of one loaded object.
pub struct Ledger {
    gate: Array<MapData, u64>,
    totals: PerCpuArray<MapData, u64>,
    losses: PerCpuArray<MapData, u64>,
    account_ids: HashMap<MapData, PodKey, u32>,
    accounts: Array<MapData, PodAccount>,
    extents: Array<MapData, PodExtent>,
    free_accounts: Queue<MapData, u32>,
    next_ids: Array<MapData, u64>,
    stacks: StackTraceMap<MapData>,
}

/// Pins that accounts hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeldPages {
    /// All of them.
    pub all: u64,
    /// Of these, the ones that are older than the hooks ([`caller::PREEXISTING`]).
    pub preexisting: u64,
}

/// A table is missing or refuses to be read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Not in the object.
    #[error("the eBPF object has no map {0}")]
    NoMap(&'static str),
    /// The kernel refused.
    #[error("cannot use an eBPF map: {0}")]
    Map(#[from] MapError),
    /// A program that is run by hand was refused.
    #[error("the kernel refused the program {name}: {why}")]
    Program {
        /// Which.
        name: &'static str,
        /// What it said.
        why: String,
    },
    /// The kernel does not say how many calls of a program it skipped.
    #[error("cannot read how many calls of the program {name} the kernel skipped: {why}")]
    ProgramInfo {
        /// The program.
        name: &'static str,
        /// The kernel's reason.
        why: String,
    },
    /// A program that is run by hand did not run.
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
    /// Takes the tables out of a loaded object.
    pub fn take(ebpf: &mut Ebpf) -> Result<Self, LedgerError> {
        Ok(Self {
            gate: take(ebpf, "GATE")?.try_into()?,
            totals: take(ebpf, "TOTALS")?.try_into()?,
            losses: take(ebpf, "LOSSES")?.try_into()?,
            account_ids: take(ebpf, "ACCOUNT_IDS")?.try_into()?,
            accounts: take(ebpf, "ACCOUNTS")?.try_into()?,
            extents: take(ebpf, "EXTENTS")?.try_into()?,
            free_accounts: take(ebpf, "FREE_ACCOUNTS")?.try_into()?,
            next_ids: take(ebpf, "NEXT_IDS")?.try_into()?,
            stacks: take(ebpf, "STACKS")?.try_into()?,
        })
    }

    /// Lets the hooks count.
    pub fn open_gate(&mut self) -> Result<(), LedgerError> {
        Ok(self.gate.set(0, 1, 0)?)
    }

    /// Page totals over all CPUs.
    pub fn totals(&self) -> Result<Totals, LedgerError> {
        let total = |which: Total| -> Result<u64, LedgerError> {
            Ok(self.totals.get(&which.index(), 0)?.iter().sum())
        };
        // What was released first: of a pin that comes and goes meanwhile the ledger would hold less than nothing.
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

    /// Calls that the kernel skipped and backup programs of programs counted.
    pub fn recovered_by_backup(&self) -> Result<u64, LedgerError> {
        Ok(self
            .totals
            .get(&Total::RecoveredByBackup.index(), 0)?
            .iter()
            .sum())
    }

    /// The same for programs that look for findings.
    pub fn mm_events_recovered_by_backup(&self) -> Result<u64, LedgerError> {
        Ok(self
            .totals
            .get(&Total::MmEventRecoveredByBackup.index(), 0)?
            .iter()
            .sum())
    }

    /// Losses that the programs counted, over all CPUs.
    pub fn loss(&self, which: Loss) -> Result<u64, LedgerError> {
        Ok(self.losses.get(&which.index(), 0)?.iter().sum())
    }

    /// Ids of all accounts that were ever opened; some may be free.
    pub fn account_ids(&self) -> Result<std::ops::RangeInclusive<u32>, LedgerError> {
        let given = self
            .next_ids
            .get(&0, 0)?
            .min(u64::from(self.accounts.len()).saturating_sub(1));
        Ok(0..=u32::try_from(given).unwrap_or(u32::MAX))
    }

    /// Accounts that can be alive at one time.
    pub fn account_capacity(&self) -> usize {
        self.accounts.len() as usize
    }

    /// One account.
    pub fn account(&self, id: u32) -> Result<Account, LedgerError> {
        Ok(self.accounts.get(&id, 0)?.0)
    }

    /// What all accounts hold. They are read one by one, so it is right if nothing moves meanwhile.
    pub fn held(&self) -> Result<HeldPages, LedgerError> {
        let mut held = HeldPages::default();
        for id in self.account_ids()? {
            let account = self.account(id)?;
            let pages = account.acquired.saturating_sub(account.released);
            held.all += pages;
            if account.key.caller == caller::PREEXISTING {
                held.preexisting += pages;
            }
        }
        Ok(held)
    }

    /// The account of that key.
    pub fn account_of(&self, key: AccountKey) -> Result<Option<u32>, LedgerError> {
        match self.account_ids.get(&PodKey(key), 0) {
            Ok(id) => Ok(Some(id)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Indices of all extents that were ever opened; some may be free.
    pub fn extent_indices(&self) -> Result<std::ops::Range<u32>, LedgerError> {
        let given = self.next_ids.get(&1, 0)?.min(u64::from(self.extents.len()));
        Ok(0..u32::try_from(given).unwrap_or(u32::MAX))
    }

    /// One extent, with the pages of a call under way left out.
    pub fn extent(&self, index: u32) -> Result<Extent, LedgerError> {
        let mut extent = self.extents.get(&index, 0)?.0;
        if extent.pages_held >= Extent::CALL_BIAS / 2 {
            extent.pages_held = extent.pages_held.wrapping_sub(Extent::CALL_BIAS);
            if extent.pages_held > u64::MAX / 2 {
                extent.pages_held = 0;
            }
        }
        Ok(extent)
    }

    /// Gives an account's id back. Only for threads that have ended: nobody can pin under its key.
    pub fn free_account(&mut self, id: u32, key: AccountKey) -> Result<(), LedgerError> {
        // First the key in the account itself, by which the programs find it without a look-up.
        let mut account = self.account(id)?;
        account.key = AccountKey::default();
        self.accounts.set(id, PodAccount(account), 0)?;
        self.account_ids.remove(&PodKey(key))?;
        Ok(self.free_accounts.push(id, 0)?)
    }

    /// Return addresses of a stack, innermost first; empty if it is gone.
    pub fn stack(&self, id: u32) -> Vec<u64> {
        let trace = self.stacks.get(&id, 0);
        trace
            .map(|trace| trace.frames().iter().map(|frame| frame.ip).collect())
            .unwrap_or_default()
    }
}

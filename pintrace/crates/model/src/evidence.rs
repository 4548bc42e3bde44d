//! The two sides of a finding as the fold keeps them: stacks and origins by id, since names may come later.

use pintrace_events::units::{AccountId, Nanos, Pid, StackId, Tid};
use pintrace_events::{CowSampled, FollGetReference, MappingChanged};

use super::account::AccountState;
use super::derive::Deriver;
use super::extent::ExtentState;
use super::finding::{PinSide, TriggerKind, TriggerSide};
use super::fold::Model;
use super::limits;
use super::stack::Origin;

/// Whose it is.
#[derive(Clone, Debug, Default)]
pub(super) struct PinHolder {
    pub(super) pid: Pid,
    pub(super) comm: String,
}

/// The pin.
#[derive(Clone, Debug)]
pub(super) struct PinState {
    account: AccountId,
    /// First address and moment of opening of the extent, for long-term pins.
    extent: Option<(u64, Nanos)>,
    origin: Origin,
    side: PinSide,
}

/// The touch.
#[derive(Clone, Debug)]
pub(super) struct TriggerState {
    side: TriggerSide,
    stack: Option<StackId>,
}

impl PinState {
    /// Of an extent, at a moment. `account` is the extent's, as far as it is known.
    pub(super) fn of_extent(extent: &ExtentState, account: Option<&AccountState>, now: Nanos) -> Self {
        let opened = &extent.opened;
        let of_account = account.map(AccountState::origin).unwrap_or_default();
        Self {
            account: opened.account,
            extent: Some((opened.address, extent.since)),
            origin: Origin {
                stack: opened.stack.or(of_account.stack),
                likely_subsystem: None,
                ..of_account
            },
            side: PinSide {
                tid: account.map(|account| account.opened.tid).unwrap_or_default(),
                address: opened.address,
                end: opened.end,
                pages: extent.pages_held,
                longterm: account.is_none_or(|account| account.opened.longterm),
                age: now.since(extent.since),
                ..PinSide::default()
            },
        }
    }

    /// Of an account, `age` old or older.
    pub(super) fn of_account(account: &AccountState, age: Nanos) -> Self {
        Self {
            account: account.opened.account,
            extent: None,
            origin: account.origin(),
            side: PinSide {
                tid: account.opened.tid,
                pages: account.pages_held(),
                longterm: account.opened.longterm,
                age,
                ..PinSide::default()
            },
        }
    }

    /// Of a reference that is no pin, at a moment.
    pub(super) fn of_reference(reference: FollGetReference, now: Nanos) -> Self {
        Self {
            account: AccountId::default(),
            extent: None,
            origin: Origin {
                stack: reference.stack,
                ..Origin::default()
            },
            side: PinSide {
                tid: reference.tid,
                reference: true,
                age: now.since(reference.taken),
                ..PinSide::default()
            },
        }
    }

    /// The stack came later than the pin; `extent` is none for an account's.
    pub(super) fn late_stack(&mut self, account: AccountId, extent: Option<(u64, Nanos)>, stack: StackId) {
        let mine = self.account == account && (self.extent == extent || extent.is_none());
        if mine && self.origin.stack.is_none() {
            self.origin.stack = Some(stack);
        }
    }

    pub(super) fn resolve(&self, deriver: &mut Deriver<'_>) -> PinSide {
        PinSide {
            subsystem: deriver.subsystem(self.origin),
            stack: deriver.text(self.origin.stack),
            ..self.side.clone()
        }
    }
}

impl TriggerState {
    /// Of something done by a thread.
    pub(super) fn new(what: TriggerKind, pid: Pid, tid: Tid, comm: &str, stack: Option<StackId>) -> Self {
        let comm = limits::clip(comm, limits::COMM_CHARS);
        let side = TriggerSide {
            what,
            pid,
            tid,
            comm,
            stack: [].into(),
        };
        Self { side, stack }
    }

    pub(super) fn of_mapping(change: &MappingChanged) -> Self {
        let MappingChanged { pid, tid, comm, .. } = change;
        Self::new(TriggerKind::Mapping(change.what), *pid, *tid, comm, change.stack)
    }

    pub(super) fn of_cow(cow: &CowSampled) -> Self {
        let what = if cow.unshare {
            TriggerKind::Unshare
        } else {
            TriggerKind::Write
        };
        Self::new(what, cow.pid, cow.tid, &cow.comm, cow.stack)
    }

    pub(super) fn resolve(&self, deriver: &mut Deriver<'_>) -> TriggerSide {
        TriggerSide {
            stack: deriver.text(self.stack),
            ..self.side.clone()
        }
    }
}

impl Model {
    /// Whose an account is; nobody's if it is not known.
    pub(super) fn holder(&self, account: Option<&AccountState>) -> PinHolder {
        let Some(account) = account else {
            return PinHolder::default();
        };
        let process = self.processes.by_key.get(&account.process);
        let names = process.map(|process| {
            let seen = process.seen.as_ref().map(|seen| seen.comm.as_str());
            [seen.unwrap_or_default(), process.account_comm.as_str()]
        });
        let comm = names.iter().flatten().find(|name| !name.is_empty());
        PinHolder {
            pid: account.process.0,
            comm: comm.map_or_else(|| account.opened.comm.clone(), |name| (*name).to_owned()),
        }
    }

    /// Pages of a range of bytes.
    pub(super) fn pages_of(&self, range: &std::ops::Range<u64>) -> u64 {
        let size = self
            .started
            .as_ref()
            .map_or(0, |started| u64::from(started.page_size));
        let bytes = range.end.saturating_sub(range.start);
        bytes.div_ceil(if size == 0 { 4096 } else { size })
    }
}

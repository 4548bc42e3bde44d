//! The evidence of a finding while the fold keeps it: the pin and the trigger. Stacks and code paths are ids here, because
//! symbols may arrive later.

use pintrace_events::units::{AccountId, Nanos, Pid, StackId, Tid};
use pintrace_events::{CowSampled, FollGetReference, MappingChanged};

use crate::finding::{PinSide, TriggerKind, TriggerSide};
use crate::limits;
use crate::pins::{AccountState, ExtentState, LateStack};
use crate::resolve::Resolver;
use crate::stack::Origin;

/// The pin of a finding.
#[derive(Clone, Debug)]
pub(crate) struct PinState {
    account: AccountId,
    /// First address and opening time of the extent; `None` for a pin without an extent.
    extent: Option<(u64, Nanos)>,
    origin: Origin,
    side: PinSide,
}

/// The trigger of a finding.
#[derive(Clone, Debug)]
pub(crate) struct TriggerState {
    side: TriggerSide,
    stack: Option<StackId>,
}

impl PinState {
    /// The pin of an extent at `now`. `account` is the extent's account, if it is known.
    pub(crate) fn of_extent(extent: &ExtentState, account: Option<&AccountState>, now: Nanos) -> Self {
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

    /// The pins of an account; the oldest is at least `age` old.
    pub(crate) fn of_account(account: &AccountState, age: Nanos) -> Self {
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

    /// A `FOLL_GET` reference, which is no pin, at `now`.
    pub(crate) fn of_reference(reference: FollGetReference, now: Nanos) -> Self {
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

    /// Takes a late stack if the stack belongs to this pin and this pin has no stack yet.
    pub(crate) fn late_stack(&mut self, late: &LateStack) {
        let is_of_this_pin =
            self.account == late.account && (self.extent == late.extent || late.extent.is_none());
        if is_of_this_pin && self.origin.stack.is_none() {
            self.origin.stack = Some(late.stack);
        }
    }

    pub(crate) fn resolve(&self, resolver: &mut Resolver<'_>) -> PinSide {
        let (subsystem, caller) = resolver.of_origin(self.origin);
        PinSide {
            subsystem,
            caller,
            stack: resolver.text(self.origin.stack),
            ..self.side.clone()
        }
    }
}

impl TriggerState {
    /// A trigger caused by a thread.
    pub(crate) fn new(what: TriggerKind, pid: Pid, tid: Tid, comm: &str, stack: Option<StackId>) -> Self {
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

    pub(crate) fn of_mapping(change: &MappingChanged) -> Self {
        let MappingChanged { pid, tid, comm, .. } = change;
        Self::new(TriggerKind::Mapping(change.what), *pid, *tid, comm, change.stack)
    }

    pub(crate) fn of_cow(cow: &CowSampled) -> Self {
        let what = if cow.unshare {
            TriggerKind::Unshare
        } else {
            TriggerKind::Write
        };
        Self::new(what, cow.pid, cow.tid, &cow.comm, cow.stack)
    }

    pub(crate) fn resolve(&self, resolver: &mut Resolver<'_>) -> TriggerSide {
        TriggerSide {
            stack: resolver.text(self.stack),
            ..self.side.clone()
        }
    }
}

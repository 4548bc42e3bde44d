//! The samples of the accounts.

use pintrace_common::ledger::Account;

use pintrace_events::units::Nanos;
use pintrace_events::{AccountSampled, Body};
use pintrace_source::ledger::{Ledger, LedgerError};

use super::super::emitter::Emitter;
use super::Accounts;

impl Accounts {
    /// Emits each account that changed since the last sample. With `last`, no late stack is waited for.
    pub(crate) fn sample(
        &mut self,
        now: Nanos,
        last: bool,
        ledger: &Ledger,
        out: &mut Emitter,
    ) -> Result<(), LedgerError> {
        let any_unclear = ledger.totals()?.ambiguous_owner != 0;
        for id in ledger.account_ids()? {
            let account = ledger.account(id)?;
            let unused = account.opened_ns == 0 && account.acquired == 0;
            if unused || self.was_freed(id, account.opened_ns) {
                continue;
            }
            self.open(id, &account, ledger, out);
            let unclear = if any_unclear {
                ledger.unclear_releases(id, &account)?
            } else {
                0
            };
            self.sample_one(now, last, id, (&account, unclear), ledger, out);
        }
        Ok(())
    }

    fn sample_one(
        &mut self,
        now: Nanos,
        last: bool,
        id: u32,
        (account, unclear_releases): (&Account, u64),
        ledger: &Ledger,
        out: &mut Emitter,
    ) {
        let Some(emitted) = self.emitted.get_mut(&id) else {
            return;
        };
        let age = Nanos(now.0.saturating_sub(account.opened_ns));
        let before = (emitted.account, emitted.unclear_releases);
        let late = self
            .late_stacks
            .update(&mut emitted.account.stack, account.stack, age, last);
        emitted.account = Account {
            stack: emitted.account.stack,
            ..*account
        };
        emitted.unclear_releases = unclear_releases;
        // Account 0 has the calls for which no account was free.
        let calls = |account: &Account| match account.key.longterm {
            0 if id != 0 => (0, account.failed),
            _ => (account.calls, account.failed),
        };
        if calls(&before.0) != calls(account) {
            self.called.push(id);
        }
        if before == (emitted.account, emitted.unclear_releases) {
            return;
        }
        let mut sampled = AccountSampled {
            account: emitted.id,
            acquired: account.acquired,
            released: account.released,
            bytes_held: account.bytes_held,
            huge_bytes_held: account.huge_bytes_held,
            calls: account.calls,
            held_since: Nanos(account.held_since_ns),
            not_exclusive: account.not_exclusive,
            stack: None,
            unclear_releases,
        };
        sampled.stack = late.and_then(|stack| out.stack(now, stack, ledger));
        out.push(now, Body::AccountSampled(sampled));
    }
}

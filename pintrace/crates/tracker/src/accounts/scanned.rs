//! What a scan found out about the pins of an account, from the key of the account.

use pintrace_common::holder_kind;
use pintrace_common::ledger::Account;
use pintrace_common::reconcile::caller;

use pintrace_events::Evidence;

/// Returns the subsystem that a scan found for an account; empty for an account of a hook.
pub(super) fn likely_subsystem(account: &Account) -> &'static str {
    let caller = account.key.caller;
    match caller::origin(caller) {
        Some(_) => {
            let kind = usize::try_from(caller::holder(caller)).unwrap_or_default();
            holder_kind::NAMES.get(kind).copied().unwrap_or_default()
        }
        None => "",
    }
}

/// Returns what showed a scan that the pins of an account belong to its process. `None` for an account of a hook, and
/// for pins that belong to no process.
pub(super) fn evidence(account: &Account) -> Option<Evidence> {
    let caller = account.key.caller;
    caller::origin(caller).filter(|_| account.key.tgid() != 0)?;
    Some(match caller::evidence(caller) {
        caller::KERNEL_TABLE => Evidence::KernelTable,
        _ => Evidence::PageTables,
    })
}

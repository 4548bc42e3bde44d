//! The call sites of the pins that are held: one row for each call stack, or for each caller if the stack is not known.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::snapshot::{OpenExtent, Snapshot};
use crate::subsystem::Subsystem;

use super::sums::{PinSums, runs};

/// The pins of one call site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSiteRow {
    /// Subsystem that pinned.
    pub subsystem: Subsystem,
    /// Function that called the pin function, as `symbol [module]`; empty if unknown.
    pub caller: Arc<str>,
    /// Kernel stack, innermost frame first; empty if it is not known.
    pub stack: Arc<[String]>,
    /// Number of processes that hold pins of the call site.
    pub processes: u64,
    /// Sums over the pins.
    pub sums: PinSums,
    /// Position of the process that was added last.
    latest: Option<usize>,
}

/// Returns the call sites of all pins that are held, those with most pages first.
#[must_use]
pub fn of(snapshot: &Snapshot) -> Vec<CallSiteRow> {
    let mut rows = Rows::default();
    for (position, process) in snapshot.processes.iter().enumerate() {
        for (first, sums) in runs(process.open_extents.iter(), share_texts) {
            let row = rows.row(first.subsystem, &first.caller, &first.stack);
            row.count(position);
            row.sums.add(sums);
        }
        for account in &process.held_accounts {
            let row = rows.row(account.subsystem, &account.caller, &account.stack);
            row.count(position);
            row.sums.add_account(account);
        }
    }
    rows.list.sort_by_key(|row| Reverse(row.sums.pages_held));
    rows.list
}

/// Returns true if two extents have the same subsystem, and share the texts of caller and stack.
fn share_texts(extent: &OpenExtent, other: &OpenExtent) -> bool {
    extent.subsystem == other.subsystem
        && Arc::ptr_eq(&extent.caller, &other.caller)
        && Arc::ptr_eq(&extent.stack, &other.stack)
}

impl CallSiteRow {
    /// Counts a process. The rows are filled process by process.
    fn count(&mut self, position: usize) {
        if self.latest.replace(position) != Some(position) {
            self.processes += 1;
        }
    }
}

/// Subsystem, caller and stack.
type Text = (Subsystem, Arc<str>, Arc<[String]>);

/// Subsystem, and the addresses of the shared texts of caller and stack.
type Shared = (Subsystem, usize, usize);

#[derive(Default)]
struct Rows {
    list: Vec<CallSiteRow>,
    by_text: HashMap<Text, usize>,
    /// Pins share the texts of callers and stacks, so the texts of most pins need no comparison.
    by_address: HashMap<Shared, usize>,
}

impl Rows {
    fn row(&mut self, subsystem: Subsystem, caller: &Arc<str>, stack: &Arc<[String]>) -> &mut CallSiteRow {
        let Self {
            list,
            by_text,
            by_address,
        } = self;
        let shared = (subsystem, Arc::as_ptr(caller).addr(), Arc::as_ptr(stack).addr());
        let index = *by_address.entry(shared).or_insert_with(|| {
            let text = (subsystem, Arc::clone(caller), Arc::clone(stack));
            *by_text.entry(text).or_insert_with(|| {
                list.push(CallSiteRow {
                    subsystem,
                    caller: Arc::clone(caller),
                    stack: Arc::clone(stack),
                    ..CallSiteRow::default()
                });
                list.len() - 1
            })
        });
        &mut list[index]
    }
}

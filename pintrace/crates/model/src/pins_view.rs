//! Processes, extents and subsystems as the latest snapshot shows them. The next snapshot applies the changes since then
//! and shares the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::pins::{AccountState, Changes, ExtentOrder, ExtentState, Pins, ProcessKey, Shown};
use crate::process_view;
use crate::resolve::Resolver;
use crate::shared_list::SharedList;
use crate::snapshot::{OpenExtent, Process};
use crate::stack::Origin;
use crate::subsystem_sums::SubsystemSums;

/// The rows of all processes, and the totals by subsystem.
#[derive(Clone, Debug, Default)]
pub(crate) struct PinsView {
    /// In order of [`ProcessKey`].
    pub(crate) processes: SharedList<Arc<Process>>,
    pub(crate) subsystems: SubsystemSums,
    parts: BTreeMap<ProcessKey, Part>,
    /// The part of forgotten processes of `subsystems`.
    forgotten: SubsystemSums,
}

/// What one process has in the view.
#[derive(Clone, Debug, Default)]
struct Part {
    /// In order of [`ExtentOrder`].
    extents: SharedList<OpenExtent>,
    /// The part of the process of [`PinsView::subsystems`].
    subsystems: SubsystemSums,
}

impl PinsView {
    /// Brings the view up to date. If `anew`, builds the whole view again.
    pub(crate) fn update(&mut self, pins: &mut Pins, anew: bool, resolver: &mut Resolver<'_>) {
        let changes = pins.changes.take();
        let anew = anew || changes.everything;
        let stale = if anew {
            *self = Self::default();
            self.list_all_extents(pins, resolver);
            pins.processes.by_key.keys().copied().collect()
        } else {
            self.apply(&changes, pins, resolver)
        };
        for key in stale {
            self.update_process(key, pins, resolver);
        }
        if anew || changes.forgot {
            let mut forgotten = SubsystemSums::default();
            for (origin, flow) in &pins.processes.forgotten {
                forgotten.add(resolver.subsystem(*origin), *flow, 0, 0);
            }
            self.subsystems.replace(&self.forgotten, &forgotten);
            self.forgotten = forgotten;
        }
    }

    /// Applies the changes of extents. Returns the processes whose rows must be built.
    fn apply(
        &mut self,
        changes: &Changes,
        pins: &mut Pins,
        resolver: &mut Resolver<'_>,
    ) -> BTreeSet<ProcessKey> {
        let mut stale: BTreeSet<ProcessKey> = changes.processes.iter().copied().collect();
        for (process, extent) in &changes.gone {
            if let Some(part) = self.parts.get_mut(process) {
                part.extents.remove(|other| order(other).cmp(extent));
            }
            stale.insert(*process);
        }
        for account in &changes.accounts {
            if let Some(account) = pins.accounts.get_mut(*account) {
                account.changed = false;
                stale.insert(account.process);
            }
        }
        for extent in &changes.extents {
            let Some(extent) = pins.extents.get_mut(*extent) else {
                continue;
            };
            extent.shown.changed = false;
            let account = pins.accounts.get(extent.opened.account);
            let Some(account) = account.filter(|account| !account.opened.from_scan) else {
                continue;
            };
            extent.shown.listed = true;
            let open = open_extent(account, extent, resolver);
            let wanted = extent.order();
            let part = self.parts.entry(account.process).or_default();
            part.extents.put(open, |other| order(other).cmp(&wanted));
            stale.insert(account.process);
        }
        stale
    }

    /// Fills the lists of extents, process by process, and clears the marks of the changes.
    fn list_all_extents(&mut self, pins: &mut Pins, resolver: &mut Resolver<'_>) {
        let Pins {
            processes,
            accounts,
            extents,
            ..
        } = pins;
        extents
            .all_mut()
            .for_each(|extent| extent.shown = Shown::default());
        accounts.all_mut().for_each(|account| account.changed = false);
        for (key, state) in &processes.by_key {
            let mut open: Vec<OpenExtent> = Vec::new();
            for account in state.open(accounts).filter(|account| !account.opened.from_scan) {
                extents.each_of(account.opened.account, |extent| {
                    extent.shown.listed = true;
                    open.push(open_extent(account, extent, resolver));
                });
            }
            if !open.is_empty() {
                open.sort_unstable_by_key(order);
                self.parts.entry(*key).or_default().extents = open.into();
            }
        }
    }

    /// Builds the row of a process. A process that was forgotten loses its row.
    fn update_process(&mut self, key: ProcessKey, pins: &mut Pins, resolver: &mut Resolver<'_>) {
        let place = |row: &Arc<Process>| (row.pid, row.earlier_processes).cmp(&key);
        if let Some(state) = pins.processes.by_key.get_mut(&key) {
            state.changed = false;
        }
        let Some(state) = pins.processes.by_key.get(&key).filter(|state| state.has_pinned) else {
            if let Some(old) = self.parts.remove(&key) {
                self.processes.remove(place);
                self.subsystems
                    .replace(&old.subsystems, &SubsystemSums::default());
            }
            return;
        };
        let part = self.parts.entry(key).or_default();
        let (row, subsystems) = process_view::process(key, state, pins, &part.extents, resolver);
        self.subsystems.replace(&part.subsystems, &subsystems);
        part.subsystems = subsystems;
        self.processes.put(Arc::new(row), place);
    }
}

/// The place of an extent in the list of its process.
fn order(extent: &OpenExtent) -> ExtentOrder {
    (extent.since, extent.address, extent.account, extent.extent)
}

fn open_extent(account: &AccountState, extent: &ExtentState, resolver: &mut Resolver<'_>) -> OpenExtent {
    let opened = &extent.opened;
    let stack = opened.stack.or(account.opened.stack);
    let (subsystem, caller) = resolver.of_origin(Origin {
        caller: account.opened.caller,
        stack,
        likely_subsystem: None,
    });
    OpenExtent {
        account: opened.account,
        extent: opened.extent,
        tid: account.opened.tid,
        address: opened.address,
        end: opened.end,
        is_in_file: opened.mm.0 == 0 && opened.address_space.0 != 0,
        pages: opened.pages,
        pages_held: extent.pages_held,
        bytes_held: opened.bytes_held,
        since: extent.since,
        partially_released: extent.partially_released.get().is_some(),
        file: opened.file,
        descriptor: opened.descriptor,
        file_released: extent.file_released.get().is_some(),
        subsystem,
        caller,
        stack: resolver.text(stack),
    }
}

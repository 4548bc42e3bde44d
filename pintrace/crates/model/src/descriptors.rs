//! The descriptors of open files, as the pin calls in flight name them. No event says the descriptor of an extent, so the
//! descriptor of a file is known only if a sample found a call on the file in flight.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pintrace_events::units::Pid;
use pintrace_events::{CallsInFlight, FileId};

use crate::limits;
use crate::pins::ExtentTable;

/// The descriptor under which a process pinned through an open file, by file and process.
pub type Descriptors = BTreeMap<(FileId, Pid), u32>;

/// The descriptors that are known now.
#[derive(Clone, Debug, Default)]
pub(crate) struct DescriptorTable {
    known: Arc<Descriptors>,
}

impl DescriptorTable {
    /// Takes the descriptors of the calls in flight. Forgets the files that have neither an extent nor a call in flight: the
    /// kernel may have given the address to another file.
    pub(crate) fn sample(&mut self, calls: &CallsInFlight, extents: &ExtentTable) {
        let named = calls.calls.iter().filter(|call| !call.file.is_none());
        let files: BTreeSet<FileId> = named.clone().map(|call| call.file).collect();
        let keep = |file: &FileId| files.contains(file) || extents.holds_through(*file);
        if self.known.keys().any(|(file, _)| !keep(file)) {
            Arc::make_mut(&mut self.known).retain(|(file, _), _| keep(file));
        }
        for call in named.take(limits::CALLS_IN_FLIGHT) {
            let Some(descriptor) = call.descriptor else {
                continue;
            };
            let key = (call.file, call.pid);
            let has_room = self.known.len() < limits::DESCRIPTORS || self.known.contains_key(&key);
            if has_room && self.known.get(&key) != Some(&descriptor) {
                Arc::make_mut(&mut self.known).insert(key, descriptor);
            }
        }
    }

    /// Forgets a file whose last reference is gone.
    pub(crate) fn file_released(&mut self, file: FileId) {
        let of_file = (file, Pid(0))..=(file, Pid(u32::MAX));
        if self.known.range(of_file).next().is_some() {
            Arc::make_mut(&mut self.known).retain(|(other, _), _| *other != file);
        }
    }

    /// Returns the descriptors by file and process.
    pub(crate) fn known(&self) -> Arc<Descriptors> {
        Arc::clone(&self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pintrace_events::CallInFlight;

    fn calls(of: &[(u64, u32, Option<u32>)]) -> CallsInFlight {
        let call = |(file, pid, descriptor): &(u64, u32, Option<u32>)| CallInFlight {
            file: FileId(*file),
            pid: Pid(*pid),
            descriptor: *descriptor,
            ..CallInFlight::default()
        };
        CallsInFlight {
            calls: of.iter().map(call).collect(),
            number: of.len() as u64,
        }
    }

    #[test]
    fn a_descriptor_is_forgotten_with_its_file() {
        let (mut table, none) = (DescriptorTable::default(), ExtentTable::default());
        table.sample(
            &calls(&[(8, 1, Some(5)), (8, 2, Some(6)), (9, 1, None), (0, 1, Some(7))]),
            &none,
        );
        let known = [((FileId(8), Pid(1)), 5), ((FileId(8), Pid(2)), 6)];
        assert_eq!(*table.known(), BTreeMap::from(known));
        table.file_released(FileId(8));
        assert!(table.known().is_empty());
    }

    #[test]
    fn a_call_that_ended_without_an_extent_leaves_no_descriptor() {
        let (mut table, none) = (DescriptorTable::default(), ExtentTable::default());
        table.sample(&calls(&[(8, 1, Some(5))]), &none);
        table.sample(&calls(&[(8, 1, None)]), &none);
        assert_eq!(table.known().len(), 1);
        table.sample(&calls(&[]), &none);
        assert!(table.known().is_empty());
    }
}

//! The memory of the BPF maps, by name.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use pintrace_bpf::map_info;
use pintrace_bpf::own_objects::{ObjectKind, OwnObject};
use pintrace_model::own_cost::MapMemory;

/// Sums the memory of maps, and remembers the names of the maps.
#[derive(Debug, Default)]
pub(super) struct Maps {
    /// Names by id. The name of a map never changes.
    names: HashMap<u32, String>,
}

impl Maps {
    /// Returns the memory by name. A map that was closed meanwhile is left out.
    pub(super) fn memory(&mut self, objects: &[OwnObject]) -> BTreeMap<String, MapMemory> {
        let mut memory: BTreeMap<String, MapMemory> = BTreeMap::new();
        for map in objects.iter().filter(|object| object.kind == ObjectKind::Map) {
            if let Some(name) = self.name(map) {
                let sum = memory.entry(name.clone()).or_default();
                sum.maps += 1;
                sum.bytes = sum.bytes.saturating_add(map.memory);
            }
        }
        memory
    }

    fn name(&mut self, map: &OwnObject) -> Option<&String> {
        match self.names.entry(map.id) {
            Entry::Occupied(known) => Some(known.into_mut()),
            Entry::Vacant(unknown) => {
                let info = map_info::read(map.descriptor).ok()?;
                // The descriptor may have been closed and belong to another map now.
                (info.id == map.id).then(|| &*unknown.insert(info.name))
            }
        }
    }
}

//! Tells the programs which kernel code belongs to which kind of holder (`ledger/code_kind.rs` of the eBPF crate).

use aya::Ebpf;
use aya::maps::{Array, MapData};
use pintrace_common::holder_kind::{CODE_RANGES, CodeRange, PREFIXES, kind};
use pintrace_kernel::kallsyms::Kallsyms;

use super::ledger::LedgerError;
use pintrace_bpf::pod;

pod! {
    PodRange(CodeRange);
}

const MAP: &str = "CODE_KINDS";

/// Writes the ranges of code to the map. Without addresses in kallsyms, all code is of an unknown kind.
pub(super) fn write(ebpf: &mut Ebpf, symbols: &Kallsyms) -> Result<(), LedgerError> {
    // The map stays in the object: the kernel frees a map that no descriptor holds before the programs load.
    let map = ebpf.map_mut(MAP).ok_or(LedgerError::NoMap(MAP))?;
    let mut map: Array<&mut MapData, PodRange> = map.try_into()?;
    for (index, range) in (0..).zip(ranges(symbols)) {
        map.set(index, PodRange(range), 0)?;
    }
    Ok(())
}

/// Returns as many ranges as the map has entries. Unused entries begin at the end of the address space. If there is no
/// room for the last ranges, their code is of an unknown kind.
fn ranges(symbols: &Kallsyms) -> Vec<CodeRange> {
    let room = CODE_RANGES as usize;
    let mut ranges = vec![CodeRange {
        start: 0,
        kind: kind::UNKNOWN,
    }];
    for (start, kind) in symbols.runs(of_name) {
        if ranges.last().is_none_or(|last| last.kind != kind) {
            ranges.push(CodeRange { start, kind });
        }
    }
    if ranges.len() > room {
        ranges.truncate(room);
        ranges[room - 1].kind = kind::UNKNOWN;
    }
    ranges.resize(
        room,
        CodeRange {
            start: u64::MAX,
            kind: kind::UNKNOWN,
        },
    );
    ranges
}

fn of_name(name: &str) -> u64 {
    let known = PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
    known.map_or(kind::UNKNOWN, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_of_one_kind_is_one_range() {
        let symbols = Kallsyms::parse(
            "ffff000000000100 t io_pin_pages\nffff000000000200 t io_free_region\nffff000000000300 T vmalloc\n\
             ffff000000000400 t process_vm_rw\nffff000000000500 t vfio_iommu_map\t[vfio]\n",
        );
        let ranges = ranges(&symbols);
        let known: Vec<_> = ranges
            .iter()
            .take_while(|range| range.start != u64::MAX)
            .map(|range| (range.start & 0xffff, range.kind))
            .collect();
        let expected = [
            (0, kind::UNKNOWN),
            (0x100, kind::IO_URING),
            (0x300, kind::UNKNOWN),
            (0x400, kind::PROCESS_VM),
            (0x500, kind::VFIO),
        ];
        assert_eq!(known, expected);
        assert_eq!(ranges.len(), CODE_RANGES as usize);
    }

    #[test]
    fn without_addresses_no_code_has_a_kind() {
        let symbols = Kallsyms::parse("0000000000000000 t io_pin_pages\n");
        assert!(ranges(&symbols).iter().all(|range| range.kind == kind::UNKNOWN));
    }

    #[test]
    fn more_ranges_than_room_leave_the_last_code_without_a_kind() {
        let lines = (1..16_000u64).map(|n| {
            let name = if n % 2 == 0 { "io_a" } else { "b" };
            format!("{:016x} t {name}{n}\n", 0xffff_0000_0000_0000 + n * 16)
        });
        let ranges = ranges(&Kallsyms::parse(&lines.collect::<String>()));
        assert_eq!(ranges.len(), CODE_RANGES as usize);
        assert_eq!(ranges.last().map(|range| range.kind), Some(kind::UNKNOWN));
        assert!(ranges.iter().all(|range| range.start != u64::MAX));
    }
}

//! Tables in simulated kernel memory, intact and damaged.

use pintrace_kernel::scan_layout::Path;
use pintrace_kernel::table_layout::{
    BufferEnd, BufferLayout, BufferRings, BufferTable, IoUringLayout, PageArray, PinnedFolios, TableLayouts,
    UdmabufLayout, UmemLayout, XarrayLayout,
};
use proptest::prelude::*;

use super::*;
use crate::kernel_memory::tests::FakeMemory;

const VMEMMAP: u64 = 0x10_0000;
const FILE: u64 = 0x1000;
const RING: u64 = 0x2000;
const RELEASE_UDMABUF: u64 = 0x77;
const PAGES: PageArray = PageArray {
    pages: 0x40,
    nr: 0x48,
    nr_bytes: 4,
};

pub(crate) fn layout(buffers: BufferTable) -> Layout {
    let facts = pintrace_common::scan::ScanFacts {
        file_private: 8,
        socket_sk: 16,
        ..Default::default()
    };
    Layout {
        facts,
        pinned_is_a_field: false,
        path: Path {
            task_files: 0,
            files_fdt: 0,
            fdt_fd: 0,
            file_mapping: 0,
            mapping_first: 0,
        },
        rmap: None,
        vma_list: None,
        tables: TableLayouts {
            io_uring: Some(IoUringLayout {
                buffers,
                buffer: BufferLayout {
                    ubuf: 0,
                    extent: BufferEnd::Length(8),
                    nr_bvecs: 12,
                    bvec: 16,
                },
                buffer_rings: Some(BufferRings {
                    first_lists: None,
                    list_bytes: 0x50,
                    lists: 0x18,
                    pages: PAGES,
                    xarray: XarrayLayout { slots: 0 },
                }),
                ring_memory: [
                    None,
                    None,
                    Some(PageArray {
                        pages: 0x20,
                        nr: 0x28,
                        nr_bytes: 2,
                    }),
                ],
            }),
            umem: Some(UmemLayout {
                umem: 8,
                pages: PAGES,
            }),
            udmabuf: Some(UdmabufLayout {
                ops: 0,
                release: 24,
                private: 8,
                folios: PinnedFolios::List {
                    head: 32,
                    node: 8,
                    folio: 0,
                },
            }),
            registered_rings: None,
        },
    }
}

const ARRAY: BufferTable = BufferTable::Array {
    user_bufs: 0,
    nr_user_bufs: 8,
};
const NODES: BufferTable = BufferTable::Nodes {
    nodes: 0,
    nr: 8,
    buf: 16,
};

/// Returns the address of the struct page of a frame.
fn page(pfn: u64) -> u64 {
    VMEMMAP + pfn * 64
}

/// Writes a registered buffer of these frames at an address.
fn buffer(memory: &mut FakeMemory, at: u64, user: u64, frames: std::ops::Range<u64>) {
    let pages = frames.end - frames.start;
    memory.set(at, &[user, (pages * 4096) | pages << 32]);
    for (index, pfn) in (0..).zip(frames) {
        memory.set(at + 16 + index * 16, &[page(pfn), 4096]);
    }
}

/// A ring without tables: members up to 0x30, all zero.
fn ring() -> FakeMemory {
    let mut memory = FakeMemory::default();
    memory.set(FILE, &[0, RING, 0]);
    memory.set(RING, &[0; 8]);
    memory
}

fn read_kind(
    memory: &FakeMemory,
    layout: &Layout,
    kind: FileKind,
    budget: u64,
) -> Result<Vec<PinTable>, UnknownTable> {
    let mut reader = TableReader {
        memory,
        layout,
        vmemmap: VMEMMAP,
        budget,
        release_udmabuf: Some(RELEASE_UDMABUF),
    };
    reader.read(&OpenFile {
        file: FILE,
        kind,
        openers: Vec::new(),
    })
}

/// Returns the runs of frames of each table.
fn frames(tables: &[PinTable]) -> Vec<Vec<(u64, u64)>> {
    let runs = |table: &PinTable| {
        table
            .frames
            .runs()
            .iter()
            .map(|run| (run.pfn, run.frames))
            .collect()
    };
    tables.iter().map(runs).collect()
}

#[test]
fn registered_buffers_are_read_from_an_array() {
    let mut memory = ring();
    // Slots: a buffer, an empty slot, the empty buffer of all slots twice, a buffer.
    memory.set(RING, &[0x3000, 5]);
    memory.set(0x3000, &[0x4000, 0, 0x5000, 0x5000, 0x6000]);
    buffer(&mut memory, 0x4000, 0x7000_0000, 10..13);
    buffer(&mut memory, 0x5000, 0, 0..0);
    buffer(&mut memory, 0x6000, 0x8000_0000, 20..21);
    let tables = read_kind(&memory, &layout(ARRAY), FileKind::IoUring, 1000).unwrap();
    assert_eq!(frames(&tables), [[(10, 3)], [(20, 1)]]);
    assert_eq!(tables[0].addresses, Some(0x7000_0000..0x7000_3000));
}

#[test]
fn registered_buffers_are_read_from_nodes() {
    let mut memory = ring();
    memory.set(RING, &[0x3000, 2]);
    memory.set(0x3000, &[0, 0x3100]);
    memory.set(0x3100, &[0, 0, 0x4000]);
    buffer(&mut memory, 0x4000, 0x7000_0000, 10..12);
    let tables = read_kind(&memory, &layout(NODES), FileKind::IoUring, 1000).unwrap();
    assert_eq!(frames(&tables), [[(10, 2)]]);
}

#[test]
fn the_pages_of_buffer_rings_and_of_the_ring_itself_are_read() {
    let mut memory = ring();
    // The xarray has one node, whose second slot is a list.
    memory.set(RING + 0x18, &[0x9000 | 2]);
    memory.set(0x9000, &[0; 64]);
    memory.set(0x9008, &[0xa000]);
    memory.set(0xa000 + 0x40, &[0xb000, 2]);
    memory.set(0xb000, &[page(5), page(6)]);
    memory.set(RING + 0x20, &[0xc000, 1]);
    memory.set(0xc000, &[page(40)]);
    let tables = read_kind(&memory, &layout(ARRAY), FileKind::IoUring, 1000).unwrap();
    assert_eq!(frames(&tables), [[(5, 2)], [(40, 1)]]);
}

#[test]
fn the_umem_of_a_socket_is_read() {
    let mut memory = ring();
    memory.set(RING, &[0, 0, 0xd000]);
    memory.set(0xd000, &[0, 0xe000]);
    memory.set(0xe000 + 0x40, &[0xb000, 2]);
    memory.set(0xb000, &[page(5), page(9)]);
    let tables = read_kind(&memory, &layout(ARRAY), FileKind::AfXdp, 1000).unwrap();
    assert_eq!(frames(&tables), [[(5, 1), (9, 1)]]);
    memory.set(0xd008, &[0]);
    assert_eq!(
        read_kind(&memory, &layout(ARRAY), FileKind::AfXdp, 1000),
        Ok(vec![])
    );
}

/// Memory with a udmabuf whose list has the folios of these frames.
fn udmabuf(release: u64, pfns: &[u64]) -> FakeMemory {
    let mut memory = ring();
    memory.set(RING, &[0xd000, 0xe000]);
    memory.set(0xd018, &[release]);
    let head = 0xe020;
    let mut last = head;
    for (index, pfn) in (0..).zip(pfns) {
        let entry = 0xf000 + index * 0x20;
        memory.set(entry, &[page(*pfn), head]);
        memory.set(last, &[entry + 8]);
        last = entry + 8;
    }
    memory.set(last, &[head]);
    memory
}

#[test]
fn the_folios_of_a_udmabuf_are_read_and_other_exporters_are_left_out() {
    let memory = udmabuf(RELEASE_UDMABUF, &[7, 8, 30]);
    let tables = read_kind(&memory, &layout(ARRAY), FileKind::DmaBuf, 1000).unwrap();
    assert_eq!(frames(&tables), [[(7, 2), (30, 1)]]);
    let memory = udmabuf(RELEASE_UDMABUF + 1, &[7]);
    assert_eq!(
        read_kind(&memory, &layout(ARRAY), FileKind::DmaBuf, 1000),
        Ok(vec![])
    );
}

#[test]
fn an_endless_list_ends_with_the_budget() {
    let mut memory = udmabuf(RELEASE_UDMABUF, &[7, 8]);
    // The second entry leads back to the first.
    memory.set(0xf028, &[0xf008]);
    let read = read_kind(&memory, &layout(ARRAY), FileKind::DmaBuf, 1000);
    assert_eq!(read, Err(UnknownTable));
}

#[test]
fn a_table_beyond_the_budget_is_not_read() {
    let mut memory = ring();
    memory.set(RING, &[0x3000, u64::from(u32::MAX)]);
    let read = read_kind(&memory, &layout(ARRAY), FileKind::IoUring, 1000);
    assert_eq!(read, Err(UnknownTable));
}

proptest! {
    /// Whatever the words of a ring and of the structures behind it are, a reading ends without a panic.
    #[test]
    fn no_memory_makes_a_reading_panic(
        words in proptest::collection::vec(
            prop_oneof![0..200u64, 0x1000..0x1800u64, any::<u64>()],
            256,
        ),
        nodes in any::<bool>(),
    ) {
        let mut memory = FakeMemory::default();
        memory.set(FILE, &words);
        let layout = layout(if nodes { NODES } else { ARRAY });
        for kind in [FileKind::IoUring, FileKind::AfXdp, FileKind::DmaBuf] {
            let _ = read_kind(&memory, &layout, kind, 10_000);
        }
    }
}

//! The lines of the programs (`.BTF.ext`), which the kernel checks when a program is loaded.

use object::{Object, ObjectSection};

use crate::objects::{LEDGER, LEDGER_WITHOUT_BPF_LOOP, SCAN};

/// `struct btf_ext_header` up to `line_info_len` (tools/lib/bpf/libbpf_internal.h).
const HEADER_LENGTH: usize = 4;
const LINE_INFO: usize = 16;

fn u32_at(bytes: &[u8], at: usize) -> usize {
    let word = bytes[at..at + 4].try_into().unwrap();
    usize::try_from(u32::from_le_bytes(word)).unwrap()
}

/// The offsets of the instructions with a line, in bytes, one list for each section of programs.
fn line_offsets(object: &[u8]) -> Vec<Vec<usize>> {
    let elf = object::File::parse(object).unwrap();
    let section = elf.section_by_name(".BTF.ext").unwrap();
    let ext = section.data().unwrap();
    let start = u32_at(ext, HEADER_LENGTH) + u32_at(ext, LINE_INFO);
    let end = start + u32_at(ext, LINE_INFO + 4);
    let record = u32_at(ext, start);
    let mut sections = Vec::new();
    // A section begins with the offset of its name and its number of records.
    let mut at = start + 4;
    while at < end {
        let records = u32_at(ext, at + 4);
        at += 8;
        sections.push(
            (0..records)
                .map(|index| u32_at(ext, at + index * record))
                .collect(),
        );
        at += records * record;
    }
    sections
}

/// `check_btf_line` (kernel/bpf/verifier.c) refuses a program with "Invalid `line_info`" if the offsets do not rise.
#[test]
fn the_lines_of_each_program_rise() {
    for (name, object) in [
        ("pintrace", LEDGER),
        ("pintrace-without-bpf-loop", LEDGER_WITHOUT_BPF_LOOP),
        ("pintrace-scan", SCAN),
    ] {
        let sections = line_offsets(object);
        assert!(sections.iter().map(Vec::len).sum::<usize>() > 100, "{name}");
        for lines in sections {
            for pair in lines.windows(2) {
                assert!(
                    pair[0] < pair[1],
                    "{name}: two lines at byte {} of a section",
                    pair[1]
                );
            }
        }
    }
}

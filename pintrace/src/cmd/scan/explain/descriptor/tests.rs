use pintrace_events::ProcessSeen;
use pintrace_events::units::Pid;
use pintrace_scan::explain::TableExplained;
use pintrace_scan::open_files::{Opener, Place};

use super::*;

fn ring() -> DescriptorExplained {
    let opener = |pid, place| Opener { pid, place };
    DescriptorExplained {
        process: ProcessSeen {
            pid: Pid(7),
            comm: "pinload".to_owned(),
            ..ProcessSeen::default()
        },
        fd: 4,
        link: "anon_inode:[io_uring]".to_owned(),
        kind: "io_uring",
        tables: Some(vec![TableExplained {
            purpose: "registered buffer",
            addresses: Some(0x1000..0x3000),
            entries: 2,
            pinned: 2,
        }]),
        without_tables: None,
        pinned: Amount {
            folios: 2,
            pages: 2,
            bytes: 8192,
        },
        openers: vec![opener(7, Place::Descriptor(4)), opener(8, Place::Mapping(0x7000))],
    }
}

#[test]
fn a_ring_is_explained() {
    let expected = "descriptor 4 of pid 7 pinload: io_uring, anon_inode:[io_uring]
  holds 2 pins, which keep 8 KiB in place
    registered buffer: 2 pages, 2 of them pinned, registered at 0x1000-0x3000
  open as fd 4
  also open: pid 8 mapping 0x7000";
    assert_eq!(text(&ring()).join("\n"), expected);
}

#[test]
fn a_file_without_a_table_says_why() {
    let file = DescriptorExplained {
        kind: "file",
        tables: None,
        without_tables: Some("such a file holds no pins"),
        openers: Vec::new(),
        ..ring()
    };
    let text = text(&file).join("\n");
    assert!(
        text.contains("pages held: unknown; such a file holds no pins"),
        "{text}"
    );
    assert!(text.ends_with("no other process has this file open"), "{text}");
}

use pintrace_events::ProcessSeen;
use pintrace_events::units::Pid;
use pintrace_scan::kind::MemoryKind;
use pintrace_scan::open_files::{Opener, Place};

use super::*;

/// An anonymous page of 4 KiB with one pin of a ring, mapped by the process that has the ring open.
fn pinned() -> PageExplained {
    PageExplained {
        pfn: 0x1234,
        folio: FolioPlace {
            pfn: 0x1234,
            order: 0,
            page: 0,
        },
        flags: Some(vec!["uptodate", "lru", "anonymous", "anon_exclusive"]),
        kind: Some(MemoryKind::Anon),
        exclusive: Some(true),
        file: None,
        references: References {
            total: 1027,
            pins: 1,
            of_pins: 1024,
            mappings: Some(1),
            unexplained: Some(2),
            ..References::default()
        },
        holders: vec![PinsOnPage {
            process: ProcessSeen {
                pid: Pid(7),
                comm: "pinload".to_owned(),
                ..ProcessSeen::default()
            },
            evidence: Evidence::KernelTable,
            subsystem: "io_uring",
            openers: vec![Opener {
                pid: 7,
                place: Place::Descriptor(4),
            }],
            pins: 1,
        }],
        unknown_pins: 0,
        candidates: Vec::new(),
        not_pinned: None,
        mapped_by: vec![Mapper {
            pid: 7,
            address: 0x7000,
            name: "[heap]".to_owned(),
        }],
        more_mappings: false,
        migration: Migration::Pinned,
        changed: false,
    }
}

#[test]
fn a_pinned_page_is_explained() {
    let text = text(&pinned()).join("\n");
    let expected = "frame 0x1234: a page of 4 KiB
  flags: uptodate lru anonymous anon_exclusive
  memory: anon, exclusive to one process
  references: 1027
        1024  1 pin, each of which counts 1024
           1    pid 7 pinload: io_uring, fd 4 (kernel table)
           1  mappings
              pid 7 at 0x7000 [heap]
           2  that nothing explains: an I/O, a pipe, a FOLL_GET reference, or a page on its way to the LRU
  migration and unplug: impossible until pid 7 releases its pins.";
    assert_eq!(text, expected);
}

#[test]
fn a_free_page_of_a_folio_is_explained() {
    let page = PageExplained {
        folio: FolioPlace {
            pfn: 0x1200,
            order: 9,
            page: 0x34,
        },
        flags: Some(Vec::new()),
        kind: None,
        exclusive: None,
        references: References::default(),
        holders: Vec::new(),
        mapped_by: Vec::new(),
        migration: Migration::Free,
        ..pinned()
    };
    let text = text(&page).join("\n");
    assert!(text.contains("page 52 of a folio of 512 pages (order 9, 2 MiB) that begins at frame 0x1200"));
    assert!(
        text.contains("flags: none") && text.ends_with("the page is free."),
        "{text}"
    );
}

#[test]
fn an_address_without_page_has_a_reason() {
    let address = Located {
        pid: 7,
        address: 0x1000,
        vma: Vma {
            start: 0x1000,
            end: 0x2000,
            permissions: "rw-p".to_owned(),
            ..Vma::default()
        },
        state: State::Swapped,
    };
    let mut out = Vec::new();
    write(Some(&address), None, false, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        text.contains("0x1000-0x2000 rw-p anonymous memory: the page is in swap"),
        "{text}"
    );
    let mut out = Vec::new();
    write(Some(&address), None, true, &mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(
        (&json["page"], &json["address"]["state"]),
        (&serde_json::Value::Null, &"swapped".into())
    );
}

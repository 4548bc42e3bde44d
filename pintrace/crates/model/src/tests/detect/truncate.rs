//! Tests of pins on files that were truncated or freed.

use pintrace_events::units::{AccountId, ExtentId};
use pintrace_events::{Body, ExtentOpened, MappingChange, MappingChanged, RangeIn};

use crate::finding::Severity;

use super::{BUFFER, FILE, PAGE, findings, only_finding, pinned};

#[test]
fn truncation_is_found_by_file_offset() {
    let mut builder = pinned();
    builder.emit(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(1),
        address: BUFFER << 4,
        end: (BUFFER << 4) + 8 * PAGE,
        pages: 8,
        address_space: FILE,
        file_offset: 2 * PAGE,
        ..ExtentOpened::default()
    }));
    builder.wait(1);
    let truncate = |from: u64| {
        Body::MappingChanged(MappingChanged {
            within: RangeIn::AddressSpace(FILE),
            what: MappingChange::Truncate,
            address: from * PAGE,
            end: u64::MAX,
            ..MappingChanged::default()
        })
    };
    builder.emit(truncate(10));
    assert!(
        findings(&builder).is_empty(),
        "the truncation starts after the pin"
    );
    builder.emit(truncate(7));
    let finding = only_finding(&builder);
    assert_eq!(
        (finding.address, finding.end, finding.pages),
        (7 * PAGE, 10 * PAGE, 3)
    );
    assert_eq!(finding.severity, Severity::Hazard);
}

#[test]
fn a_freed_file_is_not_mistaken_for_a_later_file() {
    let mut builder = pinned();
    builder.emit(Body::ExtentOpened(ExtentOpened {
        extent: ExtentId(2),
        account: AccountId(1),
        end: 4 * PAGE,
        pages: 4,
        bytes_held: 4 * PAGE,
        address_space: FILE,
        ..ExtentOpened::default()
    }));
    builder.wait(1).emit(Body::AddressSpaceFreed(FILE));
    builder.emit(Body::MappingChanged(MappingChanged {
        within: RangeIn::AddressSpace(FILE),
        what: MappingChange::Truncate,
        end: 4 * PAGE,
        ..MappingChanged::default()
    }));
    assert_eq!(findings(&builder), []);
}

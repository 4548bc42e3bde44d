//! Decodes ring-buffer bytes into records. Each field is copied; no bytes are transmuted.

use pintrace_common::ledger::{Account, AccountKey, Extent};
use pintrace_common::mm_events;
use pintrace_common::wire::{self, Header, kind};

/// One decoded record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// A hook opened an account.
    AccountOpened(wire::AccountOpened),
    /// A hook opened an extent.
    ExtentOpened(wire::ExtentOpened),
    /// The last page of an extent was released.
    ExtentClosed(wire::ExtentClosed),
    /// A page of an extent was released and other pages are left.
    ExtentMarked(wire::ExtentMarked),
    /// A process ended.
    ProcessExited(wire::ProcessExited),
    /// A mapping near a long-term pin changed.
    MappingChanged(mm_events::MappingChanged),
    /// An mm exited, or an `address_space` was freed.
    MmOrAddressSpaceGone(mm_events::MmOrAddressSpaceGone),
    /// The last reference to an open file is gone.
    FileReleased(wire::FileReleased),
    /// A process executed a new program.
    ProcessExeced(wire::ProcessExeced),
}

/// Reads native-endian words from the front of a record.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_ne_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_ne_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.bytes().map(i64::from_ne_bytes)
    }

    fn header(&mut self) -> Option<Header> {
        Some(Header {
            kind: self.u32()?,
            id: self.u32()?,
            time_ns: self.u64()?,
        })
    }

    fn key(&mut self) -> Option<AccountKey> {
        Some(AccountKey {
            mm: self.u64()?,
            caller: self.u64()?,
            pid_tgid: self.u64()?,
            longterm: self.u32()?,
            started: self.u32()?,
        })
    }

    fn account(&mut self) -> Option<Account> {
        Some(Account {
            key: self.key()?,
            acquired: self.u64()?,
            released: self.u64()?,
            bytes_held: self.u64()?,
            huge_bytes_held: self.u64()?,
            calls: self.u64()?,
            failed: self.u64()?,
            held_since_ns: self.u64()?,
            opened_ns: self.u64()?,
            cgroup: self.u64()?,
            stack: self.i64()?,
            last_extent: self.u64()?,
            holder_kind: self.u64()?,
            not_exclusive: self.u64()?,
            comm: self.bytes()?,
        })
    }

    fn extent(&mut self) -> Option<Extent> {
        Some(Extent {
            pages_held: self.u64()?,
            bytes_held: self.u64()?,
            address: self.u64()?,
            end: self.u64()?,
            pages: self.u64()?,
            opened_ns: self.u64()?,
            grown_ns: self.u64()?,
            flags: self.u32()?,
            account: self.u32()?,
            stack: self.i64()?,
            mm: self.u64()?,
            address_space: self.u64()?,
            file_offset: self.u64()?,
            call: self.u64()?,
            file: self.u64()?,
            argument: self.u64()?,
            first_page: self.u64()?,
            last_page: self.u64()?,
            next_area: self.u32()?,
            descriptor: self.u32()?,
        })
    }
}

/// Decodes one record. Returns `None` if the kind is unknown or the length is not the length of that kind.
pub fn decode(bytes: &[u8]) -> Option<Record> {
    let mut fields = Fields(bytes);
    let header = fields.header()?;
    let record = match header.kind {
        kind::ACCOUNT_OPENED => Record::AccountOpened(wire::AccountOpened {
            header,
            account: fields.account()?,
        }),
        kind::EXTENT_OPENED => Record::ExtentOpened(wire::ExtentOpened {
            header,
            extent: fields.extent()?,
        }),
        kind::EXTENT_CLOSED => Record::ExtentClosed(wire::ExtentClosed {
            header,
            extent: fields.extent()?,
            pid_tgid: fields.u64()?,
        }),
        kind::EXTENT_MARKED => Record::ExtentMarked(wire::ExtentMarked {
            header,
            marks: fields.u64()?,
        }),
        kind::PROCESS_EXITED => Record::ProcessExited(wire::ProcessExited {
            header,
            exit_code: fields.u32()?,
            reserved: fields.u32()?,
            longterm_pages_held: fields.u64()?,
        }),
        kind::MAPPING_CHANGED => Record::MappingChanged(mm_events::MappingChanged {
            header,
            within: fields.u64()?,
            address: fields.u64()?,
            end: fields.u64()?,
            pages: fields.u64()?,
            pid_tgid: fields.u64()?,
            stack: fields.i64()?,
            call: fields.i64()?,
            detail: fields.u64()?,
            unmaps_suppressed: fields.u64()?,
            comm: fields.bytes()?,
        }),
        kind::MM_OR_ADDRESS_SPACE_GONE => Record::MmOrAddressSpaceGone(mm_events::MmOrAddressSpaceGone {
            header,
            within: fields.u64()?,
        }),
        kind::FILE_RELEASED => Record::FileReleased(wire::FileReleased {
            header,
            file: fields.u64()?,
        }),
        kind::PROCESS_EXECED => Record::ProcessExeced(wire::ProcessExeced { header }),
        _ => return None,
    };
    fields.0.is_empty().then_some(record)
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use super::*;

    fn header(kind: u32) -> Vec<u8> {
        [kind.to_ne_bytes(), 7u32.to_ne_bytes()]
            .concat()
            .into_iter()
            .chain(9u64.to_ne_bytes())
            .collect()
    }

    #[test]
    fn an_exit_is_read_field_by_field() {
        let mut bytes = header(kind::PROCESS_EXITED);
        bytes.extend(137u32.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend(64u64.to_ne_bytes());
        let Some(Record::ProcessExited(exit)) = decode(&bytes) else {
            panic!("not decoded")
        };
        assert_eq!(
            (exit.header.id, exit.exit_code, exit.longterm_pages_held),
            (7, 137, 64)
        );
    }

    #[test]
    fn the_fields_of_an_extent_are_read_at_their_offsets() {
        let mut bytes = header(kind::EXTENT_OPENED);
        let start = bytes.len();
        bytes.resize(size_of::<wire::ExtentOpened>(), 0);
        for (offset, value) in [
            (offset_of!(Extent, account), 1_u32),
            (offset_of!(Extent, next_area), 2),
            (offset_of!(Extent, descriptor), 3),
        ] {
            bytes[start + offset..][..4].copy_from_slice(&value.to_ne_bytes());
        }
        let Some(Record::ExtentOpened(opened)) = decode(&bytes) else {
            panic!("not decoded")
        };
        let expected = Extent {
            account: 1,
            next_area: 2,
            descriptor: 3,
            ..Extent::default()
        };
        assert_eq!(opened.extent, expected);
    }

    #[test]
    fn a_record_must_have_the_length_of_its_struct() {
        for (kind, length) in [
            (kind::ACCOUNT_OPENED, size_of::<wire::AccountOpened>()),
            (kind::EXTENT_OPENED, size_of::<wire::ExtentOpened>()),
            (kind::EXTENT_CLOSED, size_of::<wire::ExtentClosed>()),
            (kind::EXTENT_MARKED, size_of::<wire::ExtentMarked>()),
            (kind::PROCESS_EXITED, size_of::<wire::ProcessExited>()),
            (kind::MAPPING_CHANGED, size_of::<mm_events::MappingChanged>()),
            (
                kind::MM_OR_ADDRESS_SPACE_GONE,
                size_of::<mm_events::MmOrAddressSpaceGone>(),
            ),
            (kind::FILE_RELEASED, size_of::<wire::FileReleased>()),
            (kind::PROCESS_EXECED, size_of::<wire::ProcessExeced>()),
        ] {
            let mut bytes = header(kind);
            bytes.resize(length, 0);
            assert!(decode(&bytes).is_some(), "kind {kind}");
            bytes.pop();
            assert_eq!(decode(&bytes), None, "kind {kind}, one byte short");
            bytes.resize(length + 1, 0);
            assert_eq!(decode(&bytes), None, "kind {kind}, one byte long");
        }
    }

    #[test]
    fn unknown_kinds_and_short_records_are_refused() {
        assert_eq!(decode(&header(99)), None);
        assert_eq!(decode(&[]), None);
        assert_eq!(decode(&[1; 3]), None);
    }
}

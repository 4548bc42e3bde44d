//! The layout of a recording, in one place. All numbers are little-endian.
//!
//! A recording is a [`FileHeader`] and then frames, each a [`FrameHeader`] and its payload. Both
//! headers and each payload carry a CRC32, so a flipped bit is told from a file cut short. Events are
//! numbered from 0; a frame says the number of its first, so a missing frame is told too. The payload
//! of an events frame is a zstd frame of MessagePack maps, one after the other, one an event.

/// First bytes of every recording. The high bit and the line ends show what a text transfer mangled.
pub const MAGIC: [u8; 8] = *b"\x89PINTR\r\n";

/// Bytes of an encoded [`FileHeader`].
pub const FILE_HEADER_BYTES: usize = 16;
/// Bytes of an encoded [`FrameHeader`].
pub const FRAME_HEADER_BYTES: usize = 32;

/// Uncompressed bytes after which a writer ends a frame.
pub const FRAME_BYTES: usize = 256 << 10;
/// Uncompressed bytes that a frame may hold: room for one event with the longest command line.
pub const MAX_PLAIN_BYTES: u32 = 4 << 20;
/// Compressed bytes that a frame may hold; zstd grows what it cannot shrink by less than 1 %.
pub const MAX_PAYLOAD_BYTES: u32 = MAX_PLAIN_BYTES + (MAX_PLAIN_BYTES >> 6);
/// zstd level: 3 is its own default.
pub const COMPRESSION_LEVEL: i32 = 3;

/// Kind of a frame that holds events. Readers skip kinds that they do not know.
pub const KIND_EVENTS: u16 = 1;

/// The head of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// See [`super::compat`].
    pub version: u16,
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// They do not begin with [`MAGIC`].
    Magic,
    /// Their CRC does not match.
    Crc,
    /// They ask for more than the limits.
    Limit,
}

impl FileHeader {
    /// As bytes: magic, version, two bytes of zero, CRC of all before.
    #[must_use]
    pub fn encode(self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&self.version.to_le_bytes());
        seal(&mut bytes);
        bytes
    }

    /// From bytes.
    pub fn decode(bytes: &[u8; FILE_HEADER_BYTES]) -> Result<Self, Invalid> {
        if bytes[..8] != MAGIC {
            return Err(Invalid::Magic);
        }
        check_seal(bytes)?;
        Ok(Self {
            version: u16::from_le_bytes(field(bytes, 8)),
        })
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes of payload that follow.
    pub payload_bytes: u32,
    /// Bytes of payload when decompressed.
    pub plain_bytes: u32,
    /// [`KIND_EVENTS`].
    pub kind: u16,
    /// Events in it.
    pub events: u32,
    /// Number of its first event.
    pub first: u64,
    /// CRC32 of the payload as it stands in the file.
    pub payload_crc: u32,
}

impl FrameHeader {
    /// As bytes: the fields in order, two bytes of zero after the kind, CRC of all before.
    #[must_use]
    pub fn encode(self) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[0..4].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.plain_bytes.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.kind.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.events.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.payload_crc.to_le_bytes());
        seal(&mut bytes);
        bytes
    }

    /// From bytes. What it asks for is within the limits.
    pub fn decode(bytes: &[u8; FRAME_HEADER_BYTES]) -> Result<Self, Invalid> {
        check_seal(bytes)?;
        let header = Self {
            payload_bytes: u32::from_le_bytes(field(bytes, 0)),
            plain_bytes: u32::from_le_bytes(field(bytes, 4)),
            kind: u16::from_le_bytes(field(bytes, 8)),
            events: u32::from_le_bytes(field(bytes, 12)),
            first: u64::from_le_bytes(field(bytes, 16)),
            payload_crc: u32::from_le_bytes(field(bytes, 24)),
        };
        let fits = header.payload_bytes <= MAX_PAYLOAD_BYTES && header.plain_bytes <= MAX_PLAIN_BYTES;
        if fits { Ok(header) } else { Err(Invalid::Limit) }
    }
}

/// The CRC32 of a payload.
#[must_use]
pub fn checksum(payload: &[u8]) -> u32 {
    crc32fast::hash(payload)
}

fn field<const OUT: usize>(bytes: &[u8], at: usize) -> [u8; OUT] {
    let mut out = [0; OUT];
    out.copy_from_slice(&bytes[at..at + OUT]);
    out
}

/// Puts the CRC of all other bytes into the last four.
fn seal(bytes: &mut [u8]) {
    let (body, seal) = bytes.split_at_mut(bytes.len() - 4);
    seal.copy_from_slice(&checksum(body).to_le_bytes());
}

fn check_seal(bytes: &[u8]) -> Result<(), Invalid> {
    let (body, seal) = bytes.split_at(bytes.len() - 4);
    if checksum(body).to_le_bytes() == seal {
        Ok(())
    } else {
        Err(Invalid::Crc)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_survive_the_round_trip() {
        let file = FileHeader { version: 7 };
        assert_eq!(FileHeader::decode(&file.encode()), Ok(file));
        let frame = FrameHeader {
            payload_bytes: 1,
            plain_bytes: 2,
            kind: KIND_EVENTS,
            events: 3,
            first: 4,
            payload_crc: 5,
        };
        assert_eq!(FrameHeader::decode(&frame.encode()), Ok(frame));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let header = FrameHeader {
            payload_bytes: 100,
            plain_bytes: 200,
            kind: KIND_EVENTS,
            events: 3,
            first: 4,
            payload_crc: 5,
        };
        for bit in 0..FRAME_HEADER_BYTES * 8 {
            let mut bytes = header.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&bytes), Err(Invalid::Crc), "bit {bit}");
        }
    }

    #[test]
    fn a_header_that_asks_for_too_much_is_refused() {
        let header = FrameHeader {
            payload_bytes: 100,
            plain_bytes: MAX_PLAIN_BYTES + 1,
            kind: KIND_EVENTS,
            events: 3,
            first: 4,
            payload_crc: 5,
        };
        assert_eq!(FrameHeader::decode(&header.encode()), Err(Invalid::Limit));
    }
}

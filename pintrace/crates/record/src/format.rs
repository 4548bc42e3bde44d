//! The layout of a recording. All numbers are little-endian.
//!
//! A recording is a [`FileHeader`] followed by frames. A frame is a [`FrameHeader`] followed by its payload. Both
//! headers and each payload have a CRC32, so that a reader can distinguish a flipped bit from a file that was cut
//! short. Events are numbered from 0, and each frame has the number of its first event, so that a reader notices a
//! missing frame. The payload of a frame of events is a zstd frame with one MessagePack map for each event. The maps
//! contain the names of the fields, so a new field with `#[serde(default)]` needs no new [`VERSION`]. A new kind of
//! event, a renamed field or another layout needs a new [`VERSION`].

/// The version of the format. Recordings of other versions are refused.
pub const VERSION: u16 = 3;

/// The first bytes of every recording. The high bit and the line ends reveal a transfer as text.
pub const MAGIC: [u8; 8] = *b"\x89PINTR\r\n";

/// Size of an encoded [`FileHeader`] in bytes.
pub const FILE_HEADER_BYTES: usize = 16;
/// Size of an encoded [`FrameHeader`] in bytes.
pub const FRAME_HEADER_BYTES: usize = 32;

/// A writer ends a frame that holds at least this number of uncompressed bytes.
pub const FRAME_BYTES: usize = 256 << 10;
/// The largest number of uncompressed bytes in a frame: enough for one event with the longest command line.
pub const MAX_PLAIN_BYTES: u32 = 4 << 20;
/// The largest number of compressed bytes in a frame; incompressible data grows by less than 1 % in zstd.
pub const MAX_PAYLOAD_BYTES: u32 = MAX_PLAIN_BYTES + (MAX_PLAIN_BYTES >> 6);
/// The zstd level; 3 is the default of zstd.
pub const COMPRESSION_LEVEL: i32 = 3;

/// The kind of a frame of events. Readers skip frames of unknown kinds.
pub const KIND_EVENTS: u16 = 1;

/// The header of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// [`VERSION`] for recordings that this version writes.
    pub version: u16,
}

/// Why bytes are not a valid header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// The bytes do not begin with [`MAGIC`].
    Magic,
    /// The CRC does not match.
    Crc,
    /// A length exceeds its limit.
    Limit,
}

impl FileHeader {
    /// Encodes the magic, the version, two zero bytes, and the CRC of the bytes before.
    #[must_use]
    pub fn encode(self) -> [u8; FILE_HEADER_BYTES] {
        let mut bytes = [0; FILE_HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&self.version.to_le_bytes());
        seal(&mut bytes);
        bytes
    }

    /// Decodes a header.
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

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Size of the payload in bytes.
    pub payload_bytes: u32,
    /// Size of the decompressed payload in bytes.
    pub plain_bytes: u32,
    /// The kind of the frame: [`KIND_EVENTS`].
    pub kind: u16,
    /// Number of events in the frame.
    pub events: u32,
    /// The number of the first event in the frame.
    pub first: u64,
    /// CRC32 of the payload as stored.
    pub payload_crc: u32,
}

impl FrameHeader {
    /// Encodes the fields in order, with two zero bytes after the kind, and the CRC of the bytes before.
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

    /// Decodes a header whose lengths are within the limits.
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

/// Returns the CRC32 of a payload.
#[must_use]
pub fn checksum(payload: &[u8]) -> u32 {
    crc32fast::hash(payload)
}

fn field<const OUT: usize>(bytes: &[u8], at: usize) -> [u8; OUT] {
    let mut out = [0; OUT];
    out.copy_from_slice(&bytes[at..at + OUT]);
    out
}

/// Puts the CRC of all other bytes into the last four bytes.
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

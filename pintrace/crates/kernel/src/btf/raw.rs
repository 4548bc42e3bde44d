//! Reads BTF in place, in the format of include/uapi/linux/btf.h.
//!
//! A kernel has about 150,000 types, and a start looks up about 200 types. So no type is decoded in advance: one pass
//! records where each type begins, and sorts the hashes of the type names.

use std::ffi::CStr;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
/// Bytes of the header that give the positions of the sections.
const HEADER: usize = 24;
/// Bytes of `struct btf_type`. The data of the kind follows.
const TYPE: usize = 12;

/// Why bytes are not valid BTF.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    /// The file has another format.
    #[error("the magic number of BTF is missing")]
    Magic,
    /// The format has another version.
    #[error("the format version is {0}, not {VERSION}")]
    Version(u8),
    /// A part goes beyond the end of the file.
    #[error("the {0} goes beyond the end of the file")]
    CutOff(&'static str),
    /// A type has a kind that this parser does not know, so the length of the type is unknown.
    #[error("type {number} has the unknown kind {kind}")]
    Kind {
        /// Number of the type.
        number: u32,
        /// Kind of the type (`BTF_KIND_*`).
        kind: u8,
    },
}

/// The kinds that this parser distinguishes (`BTF_KIND_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BtfKind {
    /// An integer.
    Int,
    /// A pointer.
    Pointer,
    /// `struct` or `union`.
    Struct,
    /// An enum of 32 bits.
    Enum,
    /// An enum of 64 bits.
    Enum64,
    /// `const`, `volatile`, `restrict` or a type tag.
    Qualified,
    /// A typedef.
    Typedef,
    /// A function.
    Function,
    /// The parameters and the result of a function.
    Prototype,
    /// Any other kind.
    Other,
}

/// One type.
#[derive(Clone, Copy, Debug)]
pub struct BtfEntry<'a> {
    /// Name; empty for none.
    pub name: &'a str,
    /// Kind of the type.
    pub kind: BtfKind,
    /// Size in bytes, or the number of the type referred to, depending on the kind.
    pub size_or_type: u32,
    /// The member offset is in the lower 24 bits, and the size of a bit field above (`kind_flag`).
    packed: bool,
    /// Data of the kind.
    rest: &'a [u8],
}

/// A member, an enumerator or a parameter.
#[derive(Clone, Copy, Debug)]
pub struct BtfPart<'a> {
    /// Name; empty for none.
    pub name: &'a str,
    /// Number of the type, or the lower 32 bits of an enumerator's value.
    pub type_or_value: u32,
    /// Offset of a member in bits; else 0.
    pub bits: u32,
}

/// A BTF file.
pub struct Raw {
    bytes: Vec<u8>,
    /// Offset of each type in the file. The first is type 1, since number 0 is `void`.
    starts: Vec<u32>,
    strings: Range<usize>,
    /// Hashes of type names, with the numbers of the types; sorted.
    names: Vec<(u64, u32)>,
    /// Numbers of the enums, a hundredth of all types.
    enums: Vec<u32>,
}

impl Raw {
    /// Parses the bytes of a file.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Malformed> {
        if bytes.get(..2) != Some(&MAGIC.to_le_bytes()) {
            return Err(Malformed::Magic);
        }
        match bytes.get(2) {
            Some(&VERSION) => {}
            other => return Err(Malformed::Version(other.copied().unwrap_or_default())),
        }
        let header = |at: usize| word(&bytes, at).ok_or(Malformed::CutOff("header"));
        let section = |at: usize, what| {
            let start = u64::from(header(4)?) + u64::from(header(at)?);
            let end = start + u64::from(header(at + 4)?);
            let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
            range
                .filter(|(start, end)| *start >= HEADER && *end <= bytes.len() && u32::try_from(*end).is_ok())
                .map(|(start, end)| start..end)
                .ok_or(Malformed::CutOff(what))
        };
        let types = section(8, "section of types")?;
        let strings = section(16, "section of strings")?;
        let starts = starts(&bytes, types)?;
        let mut raw = Self {
            bytes,
            starts,
            strings,
            names: Vec::new(),
            enums: Vec::new(),
        };
        let (mut names, mut enums) = (Vec::new(), Vec::new());
        for (number, entry) in raw.types() {
            let is_enum = matches!(entry.kind, BtfKind::Enum | BtfKind::Enum64);
            if is_enum {
                enums.push(number);
            }
            let is_named = is_enum || matches!(entry.kind, BtfKind::Struct | BtfKind::Function);
            if is_named && !entry.name.is_empty() {
                names.push((hash(entry.name), number));
            }
        }
        names.sort_unstable();
        (raw.names, raw.enums) = (names, enums);
        Ok(raw)
    }

    /// Returns how many type numbers exist, including the number of `void`.
    pub fn numbers(&self) -> u32 {
        u32::try_from(self.starts.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// Returns all types with their numbers.
    pub fn types(&self) -> impl Iterator<Item = (u32, BtfEntry<'_>)> {
        (1..self.numbers()).filter_map(|number| Some((number, self.entry(number)?)))
    }

    /// Returns all enums.
    pub fn enums(&self) -> impl Iterator<Item = BtfEntry<'_>> {
        self.enums.iter().filter_map(|number| self.entry(*number))
    }

    /// Returns the type of a number. `None` for `void` and for numbers without a type.
    pub fn entry(&self, number: u32) -> Option<BtfEntry<'_>> {
        let start = *self.starts.get(number.checked_sub(1)? as usize)? as usize;
        let info = word(&self.bytes, start + 4)?;
        let kind_bytes = kind_bytes(info)?;
        Some(BtfEntry {
            name: self.string(word(&self.bytes, start)?),
            kind: kind(info),
            size_or_type: word(&self.bytes, start + 8)?,
            packed: info >> 31 != 0,
            rest: self.bytes.get(start + TYPE..start + TYPE + kind_bytes)?,
        })
    }

    /// Returns the structs, unions, enums and functions of a name, by number.
    pub fn named(&self, name: &str) -> impl Iterator<Item = (u32, BtfEntry<'_>)> {
        let wanted = hash(name);
        let first = self.names.partition_point(|(hash, _)| *hash < wanted);
        self.names[first..]
            .iter()
            .take_while(move |(hash, _)| *hash == wanted)
            .filter_map(|(_, number)| Some((*number, self.entry(*number)?)))
            .filter(move |(_, entry)| entry.name == name)
    }

    /// Returns the members, enumerators or parameters of a type; nothing for other kinds.
    pub fn parts<'a>(&'a self, entry: &BtfEntry<'a>) -> impl Iterator<Item = BtfPart<'a>> + use<'a> {
        let (packed, kind) = (entry.packed, entry.kind);
        let bytes = match kind {
            BtfKind::Struct | BtfKind::Enum64 => 12,
            BtfKind::Enum | BtfKind::Prototype => 8,
            _ => usize::MAX,
        };
        entry.rest.chunks_exact(bytes).filter_map(move |part| {
            let bits = match kind {
                BtfKind::Struct if packed => word(part, 8)? & 0x00ff_ffff,
                BtfKind::Struct => word(part, 8)?,
                _ => 0,
            };
            Some(BtfPart {
                name: self.string(word(part, 0)?),
                type_or_value: word(part, 4)?,
                bits,
            })
        })
    }

    /// Returns the string at an offset. Empty if the string is missing or not UTF-8; kernels use ASCII names.
    fn string(&self, offset: u32) -> &str {
        let strings = &self.bytes[self.strings.clone()];
        let text = strings.get(offset as usize..).unwrap_or_default();
        let text = CStr::from_bytes_until_nul(text).unwrap_or_default();
        text.to_str().unwrap_or_default()
    }
}

/// Returns the offset of each type.
fn starts(bytes: &[u8], types: Range<usize>) -> Result<Vec<u32>, Malformed> {
    const CUT_OFF: Malformed = Malformed::CutOff("last type");
    let mut starts = Vec::new();
    let mut at = types.start;
    while at < types.end {
        let info = word(bytes, at + 4).ok_or(CUT_OFF)?;
        starts.push(u32::try_from(at).map_err(|_| CUT_OFF)?);
        at += TYPE
            + kind_bytes(info).ok_or_else(|| Malformed::Kind {
                number: u32::try_from(starts.len()).unwrap_or(u32::MAX),
                kind: kind_number(info),
            })?;
    }
    if at == types.end { Ok(starts) } else { Err(CUT_OFF) }
}

const fn kind_number(info: u32) -> u8 {
    (info >> 24 & 0x1f) as u8
}

/// `BTF_INFO_KIND`.
const fn kind(info: u32) -> BtfKind {
    match kind_number(info) {
        1 => BtfKind::Int,
        2 => BtfKind::Pointer,
        4 | 5 => BtfKind::Struct,
        6 => BtfKind::Enum,
        8 => BtfKind::Typedef,
        9..=11 | 18 => BtfKind::Qualified,
        12 => BtfKind::Function,
        13 => BtfKind::Prototype,
        19 => BtfKind::Enum64,
        _ => BtfKind::Other,
    }
}

/// Returns the number of bytes that a kind adds to a type; `None` for an unknown kind.
const fn kind_bytes(info: u32) -> Option<usize> {
    // `BTF_INFO_VLEN`
    let parts = (info & 0xffff) as usize;
    Some(match kind_number(info) {
        // int, variable, declaration tag
        1 | 14 | 17 => 4,
        // array
        3 => 12,
        // struct, union, section of data, enum of 64 bits
        4 | 5 | 15 | 19 => 12 * parts,
        // enum, prototype
        6 | 13 => 8 * parts,
        // pointer, forward, typedef, volatile, const, restrict, function, float, type tag
        2 | 7..=12 | 16 | 18 => 0,
        _ => return None,
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

fn hash(name: &str) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(name)
}

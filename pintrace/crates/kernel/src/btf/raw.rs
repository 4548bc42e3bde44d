//! BTF read in place, as include/uapi/linux/btf.h lays it out.
//!
//! A kernel has some 150,000 types, and a start asks for some 200 of them. So nothing is taken apart beforehand: one
//! pass notes where each type begins and sorts the hashes of their names.

use std::ffi::CStr;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
/// Bytes of the header that say where the rest is.
const HEADER: usize = 24;
/// Bytes of a type before what its kind adds.
const TYPE: usize = 12;

/// Why bytes are not BTF.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    /// Another file.
    #[error("it does not begin with BTF's magic number")]
    Magic,
    /// Another format.
    #[error("its version is {0}, not {VERSION}")]
    Version(u8),
    /// Cut off.
    #[error("its {0} goes beyond its end")]
    CutOff(&'static str),
    /// A kind of type that came after this was written, so that nobody knows how long it is.
    #[error("type {number} is of an unknown kind, {kind}")]
    Kind {
        /// Which.
        number: u32,
        /// Its kind.
        kind: u8,
    },
}

/// The kinds that are told apart here (`BTF_KIND_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BtfKind {
    /// A number.
    Int,
    /// A pointer.
    Pointer,
    /// `struct` or `union`.
    Struct,
    /// An enum of 32 bits.
    Enum,
    /// An enum of 64 bits.
    Enum64,
    /// `const`, `volatile`, `restrict`, or a tag: the same type, qualified.
    Qualified,
    /// Another name.
    Typedef,
    /// A function.
    Function,
    /// What a function takes and gives.
    Prototype,
    /// Anything else.
    Other,
}

/// One type.
#[derive(Clone, Copy, Debug)]
pub struct BtfEntry<'a> {
    /// Its name, empty for none.
    pub name: &'a str,
    /// What it is.
    pub kind: BtfKind,
    /// Its bytes, or the number of the type that it refers to, as its kind has it.
    pub size_or_type: u32,
    /// Offsets of members are in the lower 24 bits, the size of bit fields above.
    packed: bool,
    /// What its kind adds.
    rest: &'a [u8],
}

/// A member, an enumerator or a parameter.
#[derive(Clone, Copy, Debug)]
pub struct BtfPart<'a> {
    /// Its name, empty for none.
    pub name: &'a str,
    /// Its type's number, or an enumerator's lower 32 bits.
    pub type_or_value: u32,
    /// Offset in bits, for members.
    pub bits: u32,
}

/// The whole of it.
pub struct Raw {
    bytes: Vec<u8>,
    /// Where each type begins, the first being number 1: 0 is `void`.
    starts: Vec<u32>,
    strings: Range<usize>,
    /// Hashes of the names of types, with the types' numbers; sorted.
    names: Vec<(u64, u32)>,
}

impl Raw {
    /// Takes a file's bytes.
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
        };
        raw.names = raw
            .types()
            .filter_map(|(number, entry)| {
                let looked_up = matches!(
                    entry.kind,
                    BtfKind::Struct | BtfKind::Enum | BtfKind::Enum64 | BtfKind::Function
                );
                (looked_up && !entry.name.is_empty()).then(|| (hash(entry.name), number))
            })
            .collect();
        raw.names.sort_unstable();
        Ok(raw)
    }

    /// How many numbers there are, that of `void` among them.
    pub fn numbers(&self) -> u32 {
        u32::try_from(self.starts.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    /// All types with their numbers.
    pub fn types(&self) -> impl Iterator<Item = (u32, BtfEntry<'_>)> {
        (1..self.numbers()).filter_map(|number| Some((number, self.entry(number)?)))
    }

    /// The type of a number. `None` for `void` and for what there is not.
    pub fn entry(&self, number: u32) -> Option<BtfEntry<'_>> {
        let start = *self.starts.get(number.checked_sub(1)? as usize)? as usize;
        let info = word(&self.bytes, start + 4)?;
        let more = more(info)?;
        Some(BtfEntry {
            name: self.string(word(&self.bytes, start)?),
            kind: kind(info),
            size_or_type: word(&self.bytes, start + 8)?,
            packed: info >> 31 != 0,
            rest: self.bytes.get(start + TYPE..start + TYPE + more)?,
        })
    }

    /// Structs, unions, enums and functions of a name, in order.
    pub fn named(&self, name: &str) -> impl Iterator<Item = (u32, BtfEntry<'_>)> {
        let wanted = hash(name);
        let first = self.names.partition_point(|(hash, _)| *hash < wanted);
        self.names[first..]
            .iter()
            .take_while(move |(hash, _)| *hash == wanted)
            .filter_map(|(_, number)| Some((*number, self.entry(*number)?)))
            .filter(move |(_, entry)| entry.name == name)
    }

    /// Members, enumerators or parameters; none for other kinds.
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

    /// Empty where there is none: kernels name nothing in anything but ASCII.
    fn string(&self, offset: u32) -> &str {
        let strings = &self.bytes[self.strings.clone()];
        let text = strings.get(offset as usize..).unwrap_or_default();
        let text = CStr::from_bytes_until_nul(text).unwrap_or_default();
        text.to_str().unwrap_or_default()
    }
}

/// Where each type begins.
fn starts(bytes: &[u8], types: Range<usize>) -> Result<Vec<u32>, Malformed> {
    const CUT_OFF: Malformed = Malformed::CutOff("last type");
    let mut starts = Vec::new();
    let mut at = types.start;
    while at < types.end {
        let info = word(bytes, at + 4).ok_or(CUT_OFF)?;
        starts.push(u32::try_from(at).map_err(|_| CUT_OFF)?);
        at += TYPE
            + more(info).ok_or_else(|| Malformed::Kind {
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

/// Bytes that a kind adds to a type; `None` for a kind that is not known.
const fn more(info: u32) -> Option<usize> {
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

//! Reading kernel BTF: prototypes, member offsets, enumerators. It does not know what the answers are for, and leaves
//! the format to [`raw`].

pub mod raw;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use raw::{BtfEntry, BtfKind, Raw};

/// Where the running kernel shows its BTF.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why BTF could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file is missing or unreadable.
    #[error(
        "cannot read kernel type information (BTF) from {path}: {source}; it needs a kernel built with \
         CONFIG_DEBUG_INFO_BTF=y, or --btf with the path of a matching BTF file"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no BTF.
    #[error("{path} is not BTF: {why}; --btf takes a raw BTF file such as {KERNEL_BTF}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        why: String,
    },
}

/// A function's prototype, as far as hooks rely on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Prototype {
    /// Parameter names in order.
    pub parameters: Vec<String>,
    /// Bytes of the result, 0 for none.
    pub result_bytes: usize,
}

/// What layouts are read from.
pub trait Types {
    /// Offset in bytes of a member, also inside anonymous structs and unions; the first of `names`
    /// that exists.
    fn offset(&self, container: &str, names: &[&str]) -> Option<u32>;

    /// Bytes of a struct or union.
    fn size(&self, container: &str) -> Option<u32>;

    /// The values of these enumerators, whatever enum they are in.
    fn enumerators(&self, wanted: &[&str]) -> BTreeMap<String, u32>;
}

/// The kernel's types.
pub struct KernelTypes {
    raw: Raw,
}

/// Types that refer to one another go no deeper than this in any kernel; a file could have them go in circles.
const DEEPEST: usize = 16;

impl KernelTypes {
    /// Reads a raw BTF file.
    pub fn read(path: &Path) -> Result<Self, BtfError> {
        let bytes = std::fs::read(path).map_err(|source| BtfError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let raw = Raw::parse(bytes).map_err(|error| BtfError::Malformed {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        Ok(Self { raw })
    }

    /// The prototype of a function. `None` if there is no function of that name, or several.
    pub fn prototype(&self, function: &str) -> Option<Prototype> {
        let mut found = self.named(function, BtfKind::Function);
        let (_, entry) = found.next()?;
        if found.next().is_some() {
            return None;
        }
        let prototype = self.raw.entry(entry.size_or_type)?;
        let parameters = self.raw.parts(&prototype);
        (prototype.kind == BtfKind::Prototype).then(|| Prototype {
            parameters: parameters.map(|part| part.name.to_owned()).collect(),
            result_bytes: self.size_of(prototype.size_or_type),
        })
    }

    /// The kernel's number (BTF id) of a function.
    pub fn function_number(&self, name: &str) -> Option<u32> {
        self.named(name, BtfKind::Function)
            .next()
            .map(|(number, _)| number)
    }

    /// The same of a struct.
    pub fn struct_number(&self, name: &str) -> Option<u32> {
        self.named(name, BtfKind::Struct).next().map(|(number, _)| number)
    }

    /// How many numbers there are.
    pub fn numbers(&self) -> u32 {
        self.raw.numbers()
    }

    fn named(&self, name: &str, kind: BtfKind) -> impl Iterator<Item = (u32, BtfEntry<'_>)> {
        self.raw.named(name).filter(move |(_, entry)| entry.kind == kind)
    }

    /// The type of a number behind qualifiers, and behind other names too if `typedefs`.
    fn behind(&self, mut number: u32, typedefs: bool) -> Option<BtfEntry<'_>> {
        for _ in 0..DEEPEST {
            let entry = self.raw.entry(number)?;
            match entry.kind {
                BtfKind::Qualified => number = entry.size_or_type,
                BtfKind::Typedef if typedefs => number = entry.size_or_type,
                _ => return Some(entry),
            }
        }
        None
    }

    /// Offset in bits of a member, also inside anonymous structs and unions.
    fn find(&self, container: &BtfEntry<'_>, name: &str, depth: usize) -> Option<u32> {
        let mut members = self.raw.parts(container);
        members.find_map(|member| {
            if member.name == name {
                return Some(member.bits);
            }
            if !member.name.is_empty() || depth == 0 {
                return None;
            }
            let inner = self.behind(member.type_or_value, false)?;
            let found = (inner.kind == BtfKind::Struct).then(|| self.find(&inner, name, depth - 1))?;
            member.bits.checked_add(found?)
        })
    }

    /// Whether an enum has this enumerator.
    pub fn has_enumerator(&self, enumeration: &str, enumerator: &str) -> bool {
        let mut enums = self.raw.named(enumeration).filter(|(_, entry)| is_enum(entry));
        enums.any(|(_, entry)| self.raw.parts(&entry).any(|part| part.name == enumerator))
    }

    /// Bytes of a type, 0 for `void` and for what has none.
    fn size_of(&self, number: u32) -> usize {
        let Some(entry) = self.behind(number, true) else {
            return 0;
        };
        match entry.kind {
            BtfKind::Int | BtfKind::Enum | BtfKind::Enum64 | BtfKind::Struct => entry.size_or_type as usize,
            BtfKind::Pointer => 8,
            _ => 0,
        }
    }
}

fn is_enum(entry: &BtfEntry<'_>) -> bool {
    matches!(entry.kind, BtfKind::Enum | BtfKind::Enum64)
}

impl Types for KernelTypes {
    fn offset(&self, container: &str, names: &[&str]) -> Option<u32> {
        let (_, container) = self.named(container, BtfKind::Struct).next()?;
        let found = names.iter().find_map(|name| self.find(&container, name, DEEPEST));
        found.map(|bits| bits / 8)
    }

    fn size(&self, container: &str) -> Option<u32> {
        let (_, container) = self.named(container, BtfKind::Struct).next()?;
        Some(container.size_or_type)
    }

    fn enumerators(&self, wanted: &[&str]) -> BTreeMap<String, u32> {
        let enums = self.raw.types().filter(|(_, entry)| is_enum(entry));
        let parts = enums.flat_map(|(_, entry)| self.raw.parts(&entry));
        parts
            .filter(|part| wanted.contains(&part.name))
            .map(|part| (part.name.to_owned(), part.type_or_value))
            .collect()
    }
}

#[cfg(test)]
mod tests;

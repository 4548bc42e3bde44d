//! Reads kernel BTF: prototypes, member offsets and enumerators. The module [`raw`] parses the format.

pub mod raw;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use raw::{BtfEntry, BtfKind, Raw};

/// The BTF file of the running kernel.
pub const KERNEL_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Why a BTF file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file is missing or unreadable.
    #[error(
        "cannot read the kernel's types (BTF) from {path}: {source}; use a kernel built with \
         CONFIG_DEBUG_INFO_BTF=y, or pass a matching BTF file with --btf"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Error of the system call.
        source: std::io::Error,
    },
    /// The file is not BTF.
    #[error("{path} is not BTF: {why}; --btf takes a raw BTF file such as {KERNEL_BTF}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Error of the parser.
        why: String,
    },
}

/// The prototype of a function, as far as hooks rely on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Prototype {
    /// Parameter names in order.
    pub parameters: Vec<String>,
    /// Size of the result in bytes; 0 if there is no result.
    pub result_bytes: usize,
}

/// A source of the facts in layouts: the kernel's BTF, or a fixture.
pub trait Types {
    /// Returns the offset in bytes of the first of `names` that is a member of `container`, also inside anonymous
    /// structs and unions.
    fn offset(&self, container: &str, names: &[&str]) -> Option<u32>;

    /// Returns the size of a struct or union in bytes.
    fn size(&self, container: &str) -> Option<u32>;

    /// Returns the values of these enumerators, by name. Each enumerator may be in any enum.
    fn enumerators(&self, wanted: &[&str]) -> BTreeMap<String, u32>;
}

/// The types of a kernel, read from BTF.
pub struct KernelTypes {
    raw: Raw,
}

/// Most references that are followed from type to type. No kernel has longer chains; a damaged file could have cycles.
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

    /// Returns the prototype of a function. `None` if no function or several functions have the name.
    pub fn prototype(&self, function: &str) -> Option<Prototype> {
        let mut found = self.named(function, BtfKind::Function);
        let (_, entry) = found.next()?;
        if found.next().is_some() {
            return None;
        }
        self.prototype_at(entry.size_or_type)
    }

    /// Returns what the prototypes of all functions of a name have in common. `None` if the numbers of parameters or the sizes
    /// of the results differ. A parameter has the name `_` if its names differ.
    ///
    /// BTF of some kernels lists a weak function twice, with the parameters of its definition and of its stub
    /// (`COND_SYSCALL`, kernel/sys_ni.c), although the kernel has one of them.
    pub fn common_prototype(&self, function: &str) -> Option<Prototype> {
        let mut found = self.named(function, BtfKind::Function);
        let mut common = self.prototype_at(found.next()?.1.size_or_type)?;
        for (_, entry) in found {
            let other = self.prototype_at(entry.size_or_type)?;
            if other.parameters.len() != common.parameters.len() || other.result_bytes != common.result_bytes
            {
                return None;
            }
            for (name, other) in common.parameters.iter_mut().zip(other.parameters) {
                if *name != other {
                    "_".clone_into(name);
                }
            }
        }
        Some(common)
    }

    fn prototype_at(&self, number: u32) -> Option<Prototype> {
        let prototype = self.raw.entry(number)?;
        let parameters = self.raw.parts(&prototype);
        (prototype.kind == BtfKind::Prototype).then(|| Prototype {
            parameters: parameters.map(|part| part.name.to_owned()).collect(),
            result_bytes: self.size_of(prototype.size_or_type),
        })
    }

    /// Returns the BTF id of a function; of the first function, if several have the name.
    pub fn function_number(&self, name: &str) -> Option<u32> {
        self.named(name, BtfKind::Function)
            .next()
            .map(|(number, _)| number)
    }

    /// Returns the BTF id of a struct or union.
    pub fn struct_number(&self, name: &str) -> Option<u32> {
        self.named(name, BtfKind::Struct).next().map(|(number, _)| number)
    }

    /// Returns the number of BTF ids, including id 0 (`void`).
    pub fn numbers(&self) -> u32 {
        self.raw.numbers()
    }

    fn named(&self, name: &str, kind: BtfKind) -> impl Iterator<Item = (u32, BtfEntry<'_>)> {
        self.raw.named(name).filter(move |(_, entry)| entry.kind == kind)
    }

    /// Returns the type behind qualifiers, and with `typedefs` also behind typedefs.
    fn resolve(&self, mut number: u32, typedefs: bool) -> Option<BtfEntry<'_>> {
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

    /// Returns the offset of a member in bits, also inside anonymous structs and unions down to `depth` levels.
    fn find(&self, container: &BtfEntry<'_>, name: &str, depth: usize) -> Option<u32> {
        let mut members = self.raw.parts(container);
        members.find_map(|member| {
            if member.name == name {
                return Some(member.bits);
            }
            if !member.name.is_empty() || depth == 0 {
                return None;
            }
            let inner = self.resolve(member.type_or_value, false)?;
            let found = (inner.kind == BtfKind::Struct).then(|| self.find(&inner, name, depth - 1))?;
            member.bits.checked_add(found?)
        })
    }

    /// Returns true if the enum has the enumerator.
    pub fn has_enumerator(&self, enumeration: &str, enumerator: &str) -> bool {
        let mut enums = self.raw.named(enumeration).filter(|(_, entry)| is_enum(entry));
        enums.any(|(_, entry)| self.raw.parts(&entry).any(|part| part.name == enumerator))
    }

    /// Returns the size of a type in bytes; 0 for `void` and for kinds without a size.
    fn size_of(&self, number: u32) -> usize {
        let Some(entry) = self.resolve(number, true) else {
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
        let parts = self.raw.enums().flat_map(|entry| self.raw.parts(&entry));
        parts
            .filter(|part| wanted.contains(&part.name))
            .map(|part| (part.name.to_owned(), part.type_or_value))
            .collect()
    }
}

#[cfg(test)]
mod tests;

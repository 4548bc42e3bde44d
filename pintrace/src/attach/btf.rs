//! Reading kernel BTF: prototypes, member offsets, enumerators. It knows the format, not what the
//! answers are for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use btf_rs::{Btf, Member, Type};

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
    btf: Btf,
}

impl KernelTypes {
    /// Reads a raw BTF file.
    pub fn read(path: &Path) -> Result<Self, BtfError> {
        let bytes = std::fs::read(path).map_err(|source| BtfError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let btf = Btf::from_bytes(&bytes).map_err(|error| BtfError::Malformed {
            path: path.to_owned(),
            why: error.to_string(),
        })?;
        Ok(Self { btf })
    }

    /// The prototype of a function. `None` if there is no function of that name, or several.
    pub fn prototype(&self, function: &str) -> Option<Prototype> {
        let mut found = self.named(function).filter_map(|ty| match ty {
            Type::Func(func) => Some(func),
            _ => None,
        });
        let func = found.next()?;
        if found.next().is_some() {
            return None;
        }
        let Type::FuncProto(proto) = self.btf.resolve_chained_type(&func).ok()? else {
            return None;
        };
        let parameters = proto
            .parameters
            .iter()
            .map(|parameter| self.btf.resolve_name(parameter).unwrap_or_default())
            .collect();
        let result_bytes = self.size_of(proto.return_type_id());
        Some(Prototype {
            parameters,
            result_bytes,
        })
    }

    fn named(&self, name: &str) -> impl Iterator<Item = Type> {
        self.btf
            .resolve_types_by_name(name)
            .unwrap_or_default()
            .into_iter()
    }

    fn members(&self, container: &str) -> Option<Vec<Member>> {
        self.named(container).find_map(|ty| match ty {
            Type::Struct(s) | Type::Union(s) => Some(s.members),
            _ => None,
        })
    }

    /// The type behind `const` and `volatile`.
    fn unqualified(&self, mut ty: Type) -> Type {
        while let Type::Const(inner) | Type::Volatile(inner) = &ty {
            match self.btf.resolve_chained_type(inner) {
                Ok(behind) => ty = behind,
                Err(_) => break,
            }
        }
        ty
    }

    fn find(&self, members: &[Member], name: &str, base: u32) -> Option<(u32, Type)> {
        for member in members {
            let own = self.btf.resolve_name(member).unwrap_or_default();
            let at = base + member.bit_offset();
            let ty = self.btf.resolve_chained_type(member).ok();
            match ty.map(|ty| self.unqualified(ty)) {
                Some(ty) if own == name => return Some((at, ty)),
                Some(Type::Struct(inner) | Type::Union(inner)) if own.is_empty() => {
                    if let Some(hit) = self.find(&inner.members, name, at) {
                        return Some(hit);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Whether an enum has this enumerator.
    pub fn has_enumerator(&self, enumeration: &str, enumerator: &str) -> bool {
        self.named(enumeration).any(|ty| match ty {
            Type::Enum(ty) => ty
                .members
                .iter()
                .any(|member| self.btf.resolve_name(member).is_ok_and(|name| name == enumerator)),
            _ => false,
        })
    }

    fn size_of(&self, id: u32) -> usize {
        let Ok(mut ty) = self.btf.resolve_type_by_id(id) else {
            return 0;
        };
        loop {
            match &ty {
                Type::Int(int) => return int.size(),
                Type::Enum(enumeration) => return enumeration.size(),
                Type::Ptr(_) => return 8,
                Type::Struct(s) | Type::Union(s) => return s.size(),
                _ => {}
            }
            let Some(next) = ty
                .as_btf_type()
                .and_then(|ty| self.btf.resolve_chained_type(ty).ok())
            else {
                return 0;
            };
            ty = next;
        }
    }
}

impl Types for KernelTypes {
    fn offset(&self, container: &str, names: &[&str]) -> Option<u32> {
        let members = self.members(container)?;
        names
            .iter()
            .find_map(|name| self.find(&members, name, 0))
            .map(|(bits, _)| bits / 8)
    }

    fn size(&self, container: &str) -> Option<u32> {
        self.named(container).find_map(|ty| match ty {
            Type::Struct(s) | Type::Union(s) => u32::try_from(s.size()).ok(),
            _ => None,
        })
    }

    fn enumerators(&self, wanted: &[&str]) -> BTreeMap<String, u32> {
        use fallible_iterator::FallibleIterator;
        let mut found = BTreeMap::new();
        let mut types = self.btf.type_iter();
        while let Ok(Some(ty)) = types.next() {
            let Type::Enum(ty) = ty else { continue };
            for member in &ty.members {
                if let Ok(name) = self.btf.resolve_name(member)
                    && wanted.contains(&name.as_str())
                {
                    found.insert(name, member.val());
                }
            }
        }
        found
    }
}

//! BTF for aya's loader, which looks up the BTF id of each hooked function.
//!
//! With the kernel's BTF, the loader would decode all types, and search all types once for each program. The BTF that
//! this module builds has as many types as the kernel, and only the requested functions have names.

use std::collections::BTreeMap;

use aya::Btf;
use aya_obj::btf::{BtfType, Func, FuncLinkage};

use pintrace_kernel::btf::KernelTypes;

/// Returns BTF in which only `functions` have names, each with the BTF id that the kernel has for the function.
pub fn naming<'a>(types: &KernelTypes, functions: impl IntoIterator<Item = &'a str>) -> Btf {
    let mut btf = Btf::new();
    let mut named = BTreeMap::new();
    for name in functions {
        if let Some(number) = types.function_number(name) {
            named.insert(number, Func::new(btf.add_string(name), 0, FuncLinkage::Global));
        }
    }
    // Id 0, `void`, exists already.
    for number in 1..types.numbers() {
        btf.add_type(named.remove(&number).map_or(BtfType::Unknown, BtfType::Func));
    }
    btf
}

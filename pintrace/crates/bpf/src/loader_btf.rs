//! BTF for the loader, which looks up by which number the kernel knows a function.
//!
//! The loader would take all of the kernel's types apart for that, and search through them once for each program.
//! What it gets instead has as many types as the kernel, but only those that are asked for have names.

use std::collections::BTreeMap;

use aya::Btf;
use aya_obj::btf::{BtfType, Func, FuncLinkage};

use pintrace_kernel::btf::KernelTypes;

/// BTF in which these functions have names.
pub fn naming<'a>(types: &KernelTypes, functions: impl IntoIterator<Item = &'a str>) -> Btf {
    let mut btf = Btf::new();
    let mut named = BTreeMap::new();
    for name in functions {
        if let Some(number) = types.function_number(name) {
            named.insert(number, Func::new(btf.add_string(name), 0, FuncLinkage::Global));
        }
    }
    // Number 0, `void`, is there already.
    for number in 1..types.numbers() {
        btf.add_type(named.remove(&number).map_or(BtfType::Unknown, BtfType::Func));
    }
    btf
}

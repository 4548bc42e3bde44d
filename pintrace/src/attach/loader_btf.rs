//! BTF for the loader, which looks up by which number the kernel knows a function.
//!
//! The loader would take all of the kernel's types apart for that, and search through them once for each program.
//! What it gets instead has as many types as the kernel, but only those that are asked for have names.

use std::collections::BTreeMap;

use aya::Btf;
use aya_obj::btf::{BtfType, Func, FuncLinkage};

use crate::scan::object;

use super::btf::KernelTypes;
use super::table::HOOKS;

/// With the names of the functions that programs are attached to.
pub fn of(types: &KernelTypes) -> Btf {
    let mut btf = Btf::new();
    let mut named = BTreeMap::new();
    let hooks = HOOKS.iter().map(|hook| hook.function);
    for name in hooks.chain([object::TASKS_FUNCTION]) {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aya::Endianness;
    use aya_obj::btf::BtfKind;

    use super::super::btf::KERNEL_BTF;
    use super::*;

    /// Against the loader's own reading of the whole.
    #[test]
    fn the_loader_finds_the_same_numbers_as_in_all_of_the_kernels_types() {
        let path = Path::new(KERNEL_BTF);
        if !path.exists() {
            eprintln!("skipped: this kernel has no BTF");
            return;
        }
        let all = Btf::parse_file(path, Endianness::default()).unwrap();
        let few = of(&KernelTypes::read(path).unwrap());
        let number = |btf: &Btf, name| btf.id_by_type_name_kind(name, BtfKind::Func).ok();
        let hooks = HOOKS.iter().map(|hook| hook.function);
        let mut found = 0;
        for name in hooks.chain([object::TASKS_FUNCTION]) {
            assert_eq!(number(&few, name), number(&all, name), "{name}");
            found += usize::from(number(&few, name).is_some());
        }
        assert!(found > 20, "only {found} are in this kernel's types");
    }
}

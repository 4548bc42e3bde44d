//! The kernel functions that the loader must find by name: those of the hook table, and the task iterator of the scan.

use aya::Btf;
use pintrace_bpf::loader_btf;
use pintrace_kernel::btf::KernelTypes;
use pintrace_probes::table::HOOKS;
use pintrace_scan::object;

/// BTF with the names of all functions that programs are attached to.
pub fn of(types: &KernelTypes) -> Btf {
    loader_btf::naming(types, functions())
}

fn functions() -> impl Iterator<Item = &'static str> {
    let hooks = HOOKS.iter().map(|hook| hook.function);
    hooks.chain([object::TASKS_FUNCTION])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aya::Endianness;
    use aya_obj::btf::BtfKind;
    use pintrace_kernel::btf::KERNEL_BTF;

    use super::*;

    /// Compares with the loader's own reading of all types.
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
        let mut found = 0;
        for name in functions() {
            assert_eq!(number(&few, name), number(&all, name), "{name}");
            found += usize::from(number(&few, name).is_some());
        }
        assert!(found > 20, "only {found} are in this kernel's types");
    }
}

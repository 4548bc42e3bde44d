//! BTF for the loader, with the names of the kernel functions that the loader must find: the functions of the hook
//! table, and the task iterator of the scan.

use aya::Btf;
use pintrace_bpf::loader_btf;
use pintrace_kernel::btf::KernelTypes;
use pintrace_probes::table::HOOKS;
use pintrace_scan::object;

/// Returns BTF with the names of all functions that programs are attached to.
pub fn of(types: &KernelTypes) -> Btf {
    loader_btf::naming(types, functions())
}

fn functions() -> impl Iterator<Item = &'static str> {
    let hooks = HOOKS.iter().map(|hook| hook.function);
    hooks.chain(object::ITERATOR_FUNCTIONS)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aya::Endianness;
    use aya_obj::btf::BtfKind;
    use pintrace_kernel::btf::KERNEL_BTF;

    use super::*;

    /// Compares with BTF that aya reads from the file.
    #[test]
    fn the_loader_finds_the_same_type_ids_as_in_the_complete_btf() {
        let path = Path::new(KERNEL_BTF);
        if !path.exists() {
            eprintln!("skipped: this kernel has no BTF");
            return;
        }
        let all = Btf::parse_file(path, Endianness::default()).unwrap();
        let few = of(&KernelTypes::read(path).unwrap());
        let id = |btf: &Btf, name| btf.id_by_type_name_kind(name, BtfKind::Func).ok();
        let mut found = 0;
        for name in functions() {
            assert_eq!(id(&few, name), id(&all, name), "{name}");
            found += usize::from(id(&few, name).is_some());
        }
        assert!(
            found > 20,
            "the BTF of this kernel has only {found} of the functions"
        );
    }
}

//! Reads which functions ftrace can trace. BTF and kallsyms also list functions without ftrace's entry call: `static
//! inline` functions that the compiler did not inline (`inline` implies `notrace`, include/linux/compiler_types.h), and
//! all of lib/ (lib/Makefile).

use std::collections::BTreeSet;
use std::path::Path;

/// The list of ftrace: one function a line, followed by the module if the function is in a module.
const LIST: &str = "available_filter_functions";

/// Returns those of `names` that ftrace can trace in the kernel proper. `None` if no folder has a readable list:
/// without tracefs, without privilege, or on a locked-down kernel.
pub fn traceable<'n>(folders: &[&Path], names: &BTreeSet<&'n str>) -> Option<BTreeSet<&'n str>> {
    let text = folders
        .iter()
        .find_map(|folder| std::fs::read(folder.join(LIST)).ok())?;
    parse(&String::from_utf8_lossy(&text), names)
}

fn parse<'n>(text: &str, names: &BTreeSet<&'n str>) -> Option<BTreeSet<&'n str>> {
    // Every kernel has traceable functions, so an empty list is no list.
    let lines = || text.lines().filter(|line| !line.is_empty());
    // The line of a function in a module also has the module, so the line equals no name.
    lines().next()?;
    Some(lines().filter_map(|line| names.get(line)).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_modules_are_left_out() {
        let names = BTreeSet::from(["pin_user_pages", "ib_umem_get"]);
        let functions = parse("do_exit\npin_user_pages\nib_umem_get [ib_core]\n", &names);
        assert_eq!(functions, Some(BTreeSet::from(["pin_user_pages"])));
    }

    #[test]
    fn the_first_folder_with_the_list_is_read() {
        let (without, with) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(with.path().join(LIST), "do_exit\n").unwrap();
        let names = BTreeSet::from(["do_exit"]);
        let found = traceable(&[without.path(), with.path()], &names);
        assert_eq!(found.as_ref(), Some(&names));
        assert_eq!(traceable(&[without.path()], &names), None);
    }

    #[test]
    fn an_empty_list_is_no_list() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LIST), "").unwrap();
        assert_eq!(traceable(&[folder.path()], &BTreeSet::from(["do_exit"])), None);
    }
}

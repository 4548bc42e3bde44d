//! Which functions ftrace can trace. BTF and kallsyms also list what is built without its entry call: `static
//! inline` functions that the compiler put out of line all the same (`inline` implies `notrace`,
//! include/linux/compiler_types.h), and all of lib/ (lib/Makefile).

use std::collections::BTreeSet;
use std::path::Path;

/// ftrace's list, one function a line, those of modules with the module behind.
const LIST: &str = "available_filter_functions";

/// Which of these functions of the kernel proper ftrace can trace; `None` where no such folder shows the list: without
/// tracefs, without privilege, in a kernel that is locked down.
pub fn traceable<'n>(folders: &[&Path], names: &BTreeSet<&'n str>) -> Option<BTreeSet<&'n str>> {
    let text = folders
        .iter()
        .find_map(|folder| std::fs::read(folder.join(LIST)).ok())?;
    parse(&String::from_utf8_lossy(&text), names)
}

fn parse<'n>(text: &str, names: &BTreeSet<&'n str>) -> Option<BTreeSet<&'n str>> {
    // No kernel traces nothing: an empty list says nothing either.
    let lines = || text.lines().filter(|line| !line.is_empty());
    // A module stands behind its function, so that the line is none of the names.
    lines().next()?;
    Some(lines().filter_map(|line| names.get(line)).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_modules_are_not_the_kernels() {
        let names = BTreeSet::from(["pin_user_pages", "ib_umem_get"]);
        let functions = parse("do_exit\npin_user_pages\nib_umem_get [ib_core]\n", &names);
        assert_eq!(functions, Some(BTreeSet::from(["pin_user_pages"])));
    }

    #[test]
    fn the_first_folder_that_has_the_list_is_taken() {
        let (without, with) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(with.path().join(LIST), "do_exit\n").unwrap();
        let names = BTreeSet::from(["do_exit"]);
        let found = traceable(&[without.path(), with.path()], &names);
        assert_eq!(found.as_ref(), Some(&names));
        assert_eq!(traceable(&[without.path()], &names), None);
    }

    #[test]
    fn an_empty_list_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LIST), "").unwrap();
        assert_eq!(traceable(&[folder.path()], &BTreeSet::from(["do_exit"])), None);
    }
}

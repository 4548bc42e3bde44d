//! Which functions ftrace can trace. BTF and kallsyms also list what is built without its entry call: `static
//! inline` functions that the compiler put out of line all the same (`inline` implies `notrace`,
//! include/linux/compiler_types.h), and all of lib/ (lib/Makefile).

use std::collections::BTreeSet;
use std::path::Path;

/// ftrace's list, one function a line, those of modules with the module behind.
const LIST: &str = "available_filter_functions";

/// Those of the kernel proper that ftrace can trace; `None` where no such folder shows the list: without tracefs,
/// without privilege, in a kernel that is locked down.
pub fn traceable(folders: &[&Path]) -> Option<BTreeSet<Box<str>>> {
    let text = folders
        .iter()
        .find_map(|folder| std::fs::read(folder.join(LIST)).ok())?;
    let functions = parse(&String::from_utf8_lossy(&text));
    // No kernel traces nothing: such a list says nothing either.
    (!functions.is_empty()).then_some(functions)
}

fn parse(text: &str) -> BTreeSet<Box<str>> {
    let of_kernel = text.lines().filter(|line| !line.contains([' ', '\t']));
    of_kernel
        .filter(|line| !line.is_empty())
        .map(Into::into)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_modules_are_not_the_kernels() {
        let functions = parse("pin_user_pages\nib_umem_get [ib_core]\n");
        assert!(functions.contains("pin_user_pages"));
        assert_eq!(functions.len(), 1);
    }

    #[test]
    fn the_first_folder_that_has_the_list_is_taken() {
        let (without, with) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(with.path().join(LIST), "do_exit\n").unwrap();
        assert!(traceable(&[without.path(), with.path()]).is_some());
        assert_eq!(traceable(&[without.path()]), None);
    }

    #[test]
    fn an_empty_list_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(LIST), "").unwrap();
        assert_eq!(traceable(&[folder.path()]), None);
    }
}

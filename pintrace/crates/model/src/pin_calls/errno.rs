//! Names of the errors with which pin calls fail.

use std::borrow::Cow;

use pintrace_common::pin_calls::SHORT;

/// The errors of the pin functions and of the functions that they call (mm/gup.c, mm/memory.c), with the numbers of
/// include/uapi/asm-generic/errno-base.h, errno.h and include/linux/errno.h.
const NAMES: &[(u32, &str)] = &[
    (1, "EPERM"),
    (4, "EINTR"),
    (5, "EIO"),
    (6, "ENXIO"),
    (11, "EAGAIN"),
    (12, "ENOMEM"),
    (13, "EACCES"),
    (14, "EFAULT"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (19, "ENODEV"),
    (22, "EINVAL"),
    (28, "ENOSPC"),
    (31, "EMLINK"),
    (95, "EOPNOTSUPP"),
    (105, "ENOBUFS"),
    (133, "EHWPOISON"),
    (512, "ERESTARTSYS"),
];

/// Returns the name of an error: `short` for calls that pinned fewer pages than they asked for, and `errno 77` for an error
/// without a name here.
#[must_use]
pub fn name(errno: u32) -> Cow<'static, str> {
    if errno == SHORT {
        return "short".into();
    }
    let known = NAMES.iter().find(|(number, _)| *number == errno);
    known.map_or_else(|| format!("errno {errno}").into(), |(_, name)| (*name).into())
}

/// Returns every name, for the glossary of label values.
pub fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(_, name)| *name).chain(["short"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_name_stay_numbers() {
        assert_eq!(name(12), "ENOMEM");
        assert_eq!(name(0), "short");
        assert_eq!(name(77), "errno 77");
    }
}

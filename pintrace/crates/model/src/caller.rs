//! The place from which a pin call comes: the innermost function on the stack that is not one of mm/gup.c.

/// Prefixes of the functions of mm/gup.c that can stand on the stack of a pin call. mm/gup_test.c is a caller like others.
const PIN_FUNCTIONS: &[&str] = &[
    "pin_user_page",
    "get_user_page",
    "__get_user_page",
    "__gup_longterm_locked",
    "internal_get_user_pages_fast",
    "gup_fast",
    "memfd_pin_folios",
    "folio_add_pin",
];

/// Returns true for a function of mm/gup.c that pins.
pub(crate) fn is_pin_function(symbol: &str) -> bool {
    PIN_FUNCTIONS.iter().any(|prefix| symbol.starts_with(prefix))
}

/// Returns the place of the innermost frame that is not one of mm/gup.c. `frames` is a stack as a snapshot shows it.
/// `None` if there is no such frame.
pub(crate) fn of_frames(frames: &[String]) -> Option<String> {
    let foreign = frames.iter().find(|frame| !is_pin_function(frame))?;
    Some(without_offset(foreign))
}

/// Returns `symbol [module]`, or only the symbol if the function is in no module.
pub(crate) fn place(symbol: &str, module: &str) -> String {
    match module {
        "" => symbol.to_owned(),
        module => format!("{symbol} [{module}]"),
    }
}

/// Returns a frame without its offset into the function: `symbol+0x12 [module]` becomes `symbol [module]`.
fn without_offset(frame: &str) -> String {
    let (at, module) = match frame.rsplit_once(" [") {
        Some((at, module)) => (at, module.strip_suffix(']').unwrap_or(module)),
        None => (frame, ""),
    };
    let symbol = at.rsplit_once("+0x").map_or(at, |(symbol, _)| symbol);
    place(symbol, module)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(frames: &[&str]) -> Option<String> {
        let frames: Vec<_> = frames.iter().map(|frame| (*frame).to_owned()).collect();
        of_frames(&frames)
    }

    #[test]
    fn the_innermost_frame_outside_of_gup_is_the_caller() {
        let stack = [
            "internal_get_user_pages_fast+0x1",
            "pin_user_pages_fast+0x5a",
            "io_pin_pages+0x42",
            "io_sqe_buffer_register+0x11",
        ];
        assert_eq!(of(&stack).as_deref(), Some("io_pin_pages"));
        assert_eq!(of(&stack[..2]), None);
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn a_caller_has_its_module_and_no_offset() {
        let stack = ["pin_user_pages+0x5", "my_ioctl+0x42 [my_driver]"];
        assert_eq!(of(&stack).as_deref(), Some("my_ioctl [my_driver]"));
        assert_eq!(of(&["0xffffffff81000000"]).as_deref(), Some("0xffffffff81000000"));
    }

    /// Control: the functions of mm/gup_test.c are callers.
    #[test]
    fn the_gup_test_is_a_caller() {
        assert!(!is_pin_function("__gup_test_ioctl") && !is_pin_function("gup_test_ioctl"));
        assert!(is_pin_function("__gup_longterm_locked.isra.0") && is_pin_function("gup_fast_fallback"));
    }
}

//! A panic of `top`, with everything attached and the view on a terminal: nothing of it is left in the kernel, the terminal
//! is as it was, and the message can be read there. The program that panics is `examples/panicking_top`.

use rustix::process::Signal;

use super::robust_kit::{Before, OnTerminal, signal};

/// Leaves the alternate screen; what is written before is gone with it.
const LEAVE: &str = "\x1b[?1049l";

/// `top` on a terminal panics there, and ends with this exit code.
fn top_panics(place: &str, code: i32) {
    let before = Before::now();
    let top = OnTerminal::start(&format!("PANICS_IN={place} panicking_top top --interval 200ms"));
    before.assert_something_is_there();
    signal(top.program(), Signal::USR1);
    assert_eq!(top.end(), code, "{:?}", top.output());
    before.assert_nothing_is_left();
    top.assert_restored();
    let output = top.output();
    let readable = output.rsplit(LEAVE).next().unwrap();
    // The message of the panic itself, not that of an error made of it.
    assert!(
        readable.contains("panicked at") && readable.contains("a panic on request"),
        "{output:?}"
    );
}

#[test]
fn a_panic_beside_top_leaves_nothing_and_the_terminal_as_it_was() {
    top_panics("beside", 1);
}

#[test]
fn a_panic_in_a_sink_of_top_leaves_nothing_and_the_terminal_as_it_was() {
    top_panics("sink", 1);
}

#[test]
fn a_panic_in_the_view_of_top_leaves_nothing_and_the_terminal_as_it_was() {
    top_panics("view", 101);
}

//! A panic of `top` with every program attached and the view on a terminal. No BPF object remains in the kernel, the
//! terminal is restored, and the message is readable. The program that panics is `examples/panicking_top`.

use rustix::process::Signal;

use super::on_terminal::OnTerminal;
use super::robust_kit::{Before, signal};

/// Leaves the alternate screen. Text written before this sequence is no longer visible.
const LEAVE: &str = "\x1b[?1049l";

/// Lets `top` on a terminal panic in `place`, and checks the exit code, the kernel's BPF objects and the terminal.
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
    // The message of the panic itself, not of an error that the panic caused.
    assert!(
        readable.contains("panicked at") && readable.contains("a panic on request"),
        "{output:?}"
    );
}

#[test]
fn a_panic_in_a_thread_beside_the_view_leaves_nothing_and_restores_the_terminal() {
    top_panics("beside", 1);
}

#[test]
fn a_panic_in_a_sink_of_top_leaves_nothing_and_restores_the_terminal() {
    top_panics("sink", 1);
}

#[test]
fn a_panic_in_the_view_of_top_leaves_nothing_and_restores_the_terminal() {
    top_panics("view", 101);
}

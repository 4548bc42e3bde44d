//! Names of other processes on a terminal, and the sequence that copies a text to the clipboard (OSC 52): no part of a name
//! is a control sequence.

#![no_main]

use crossterm::Command as _;
use crossterm::clipboard::CopyToClipboard;
use libfuzzer_sys::fuzz_target;
use pintrace_model::text::printable;

fuzz_target!(|text: &str| {
    let shown = printable(text);
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
    let directions = |char| matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!shown.chars().any(directions), "{shown:?}");
    let mut sequence = String::new();
    CopyToClipboard::to_clipboard_from(text).write_ansi(&mut sequence).expect("a string takes any text");
    let inner = sequence
        .strip_prefix("\x1b]52;c;")
        .and_then(|rest| rest.strip_suffix("\x1b\\").or_else(|| rest.strip_suffix('\x07')))
        .expect("the sequence is OSC 52");
    assert!(inner.chars().all(|char| char.is_ascii_alphanumeric() || "+/=".contains(char)), "{inner}");
});

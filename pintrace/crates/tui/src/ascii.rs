//! Characters that the font of the Linux console lacks, drawn as ASCII.
//!
//! The console has the 256 characters of its font (drivers/video/console). A character that is not among them looks like any
//! other one.

use ratatui::buffer::Buffer;

/// The characters that the view itself draws, and what stands for each.
const STAND_INS: [(&str, &str); 14] = [
    ("†", "+"),
    ("▾", "v"),
    ("▴", "^"),
    ("…", "~"),
    ("▇", "#"),
    ("█", "#"),
    ("│", "|"),
    ("“", "\""),
    ("”", "\""),
    ("↑", "^"),
    ("↓", "v"),
    ("←", "<"),
    ("→", ">"),
    ("▸", ">"),
];

/// Replaces the characters of the view.
pub(super) fn replace(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if let Some((_, ascii)) = STAND_INS.iter().find(|(drawn, _)| *drawn == cell.symbol()) {
            cell.set_symbol(ascii);
        }
    }
}

//! Characters that are drawn as paths: fonts have them at other widths, or not at all.

use std::fmt::Write as _;

use super::svg::{CELL_HEIGHT, CELL_WIDTH, tenths};

/// The arms of a line: left, right, up, down.
type Arms = [bool; 4];

/// Returns the lines of a box drawing.
fn arms(character: char) -> Option<Arms> {
    Some(match character {
        '─' => [true, true, false, false],
        '│' => [false, false, true, true],
        '┌' => [false, true, false, true],
        '┐' => [true, false, false, true],
        '└' => [false, true, true, false],
        '┘' => [true, false, true, false],
        '├' => [false, true, true, true],
        '┤' => [true, false, true, true],
        '┬' => [true, true, false, true],
        '┴' => [true, true, true, false],
        '┼' => [true; 4],
        _ => return None,
    })
}

/// Returns the columns and the rows of a cell that a block fills, in eighths: from the left, or from the bottom.
fn block(character: char) -> Option<(usize, usize)> {
    let number = usize::try_from(u32::from(character)).ok()?;
    match number {
        0x2581..=0x2588 => Some((8, number - 0x2580)),
        0x2589..=0x258f => Some((0x2590 - number, 8)),
        _ => None,
    }
}

/// Returns the function that draws a character at a distance from the left, in tenths of a pixel; `None` for a character that
/// is text.
pub(super) fn path(character: char) -> Option<impl Fn(usize) -> String> {
    let braille = u32::from(character)
        .checked_sub(0x2800)
        .filter(|dots| *dots < 256);
    let arms = arms(character);
    let block = block(character);
    let is_drawn = braille.is_some() || arms.is_some() || block.is_some();
    is_drawn.then_some(move |x: usize| match (braille, arms, block) {
        (Some(dots), ..) => draw_braille(dots, x),
        (_, Some(arms), _) => draw_box(arms, x),
        (_, _, Some(eighths)) => draw_block(eighths, x),
        (None, None, None) => String::new(),
    })
}

/// Draws the dots of a braille pattern, whose bits count down the left column, down the right one, and then the lowest row.
fn draw_braille(dots: u32, x: usize) -> String {
    const SIZE: usize = 24;
    const PLACES: [(usize, usize); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    let mut out = String::new();
    for (bit, (column, row)) in PLACES.into_iter().enumerate() {
        if dots & (1 << bit) != 0 {
            let left = tenths(x + 9 + column * CELL_WIDTH / 2);
            let top = tenths(10 + row * CELL_HEIGHT / 4);
            let size = tenths(SIZE);
            let _ = write!(out, "M{left} {top}h{size}v{size}h-{size}z");
        }
    }
    out
}

fn draw_block((columns, rows): (usize, usize), x: usize) -> String {
    let mut out = String::new();
    let height = CELL_HEIGHT * rows / 8;
    let size = (CELL_WIDTH * columns / 8, height);
    rectangle((x, CELL_HEIGHT - height), size, &mut out);
    out
}

fn draw_box([left, right, up, down]: Arms, x: usize) -> String {
    const THICK: usize = 12;
    let middle = (CELL_WIDTH - THICK) / 2;
    let centre = (CELL_HEIGHT - THICK) / 2;
    let mut out = String::new();
    if left || right {
        let begin = if left { 0 } else { middle };
        let end = if right { CELL_WIDTH } else { middle + THICK };
        rectangle((x + begin, centre), (end - begin, THICK), &mut out);
    }
    if up || down {
        let begin = if up { 0 } else { centre };
        let end = if down { CELL_HEIGHT } else { centre + THICK };
        rectangle((x + middle, begin), (THICK, end - begin), &mut out);
    }
    out
}

fn rectangle((x, y): (usize, usize), (width, height): (usize, usize), out: &mut String) {
    let [x, y, width, height] = [x, y, width, height].map(tenths);
    let _ = write!(out, "M{x} {y}h{width}v{height}h-{width}z");
}

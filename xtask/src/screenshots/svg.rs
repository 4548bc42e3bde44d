//! A terminal screen as SVG, cell by cell.

use std::fmt::Write as _;

use super::glyph;

/// Width of a cell in tenths of a pixel, which keeps the numbers of the file exact.
pub(super) const CELL_WIDTH: usize = 84;
/// Height of a cell in tenths of a pixel.
pub(super) const CELL_HEIGHT: usize = 180;
/// Space around the cells in tenths of a pixel.
const MARGIN: usize = 120;
/// The baseline below the top of a cell, in tenths of a pixel.
const BASELINE: usize = 135;

/// The colours of a picture.
pub(super) struct Palette {
    pub(super) background: &'static str,
    pub(super) foreground: &'static str,
    pub(super) dim: &'static str,
    border: &'static str,
    /// The eight colours of a terminal.
    colours: [&'static str; 8],
}

/// Colours for a light page.
pub(super) const LIGHT: Palette = Palette {
    background: "#ffffff",
    foreground: "#1f2328",
    dim: "#6a737d",
    border: "#d0d7de",
    colours: [
        "#24292f", "#cf222e", "#116329", "#8a5a00", "#0969da", "#8250df", "#0a6c74", "#6e7781",
    ],
};

/// Colours for a dark page.
pub(super) const DARK: Palette = Palette {
    background: "#0d1117",
    foreground: "#e6edf3",
    dim: "#8b949e",
    border: "#30363d",
    colours: [
        "#484f58", "#ff7b72", "#3fb950", "#e3b341", "#58a6ff", "#bc8cff", "#56d4dd", "#b1bac4",
    ],
};

/// The look of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Look {
    /// One of the eight colours.
    colour: Option<usize>,
    bold: bool,
    dim: bool,
    reversed: bool,
}

/// Cells beside one another with the same look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    column: usize,
    text: String,
    look: Look,
}

/// The cells of a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) rows: Vec<Vec<Run>>,
    pub(super) columns: usize,
}

impl Picture {
    /// Returns the cells of a screen.
    pub(super) fn of(screen: &vt100::Screen) -> Self {
        let (rows, columns) = screen.size();
        Self {
            rows: (0..rows).map(|row| runs(screen, row, columns)).collect(),
            columns: usize::from(columns),
        }
    }
}

fn runs(screen: &vt100::Screen, row: u16, columns: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen
            .cell(row, column)
            .filter(|cell| !cell.is_wide_continuation())
        else {
            continue;
        };
        let look = look(cell);
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match runs.last_mut() {
            Some(run) if run.look == look => run.text.push_str(text),
            _ => runs.push(Run {
                column: usize::from(column),
                text: text.to_owned(),
                look,
            }),
        }
    }
    runs
}

fn look(cell: &vt100::Cell) -> Look {
    let colour = match cell.fgcolor() {
        // A bright colour is the same colour: the view uses none of them.
        vt100::Color::Idx(index @ 0..16) => Some(usize::from(index % 8)),
        _ => None,
    };
    Look {
        colour,
        bold: cell.bold(),
        dim: cell.dim(),
        reversed: cell.inverse(),
    }
}

/// Returns a picture of one screen.
pub(super) fn still(picture: &Picture, palette: &Palette) -> String {
    let mut body = String::new();
    for (row, runs) in picture.rows.iter().enumerate() {
        let inside = self::row(runs, palette);
        if !inside.is_empty() {
            let _ = writeln!(
                body,
                r#"<g transform="translate(0 {})">{inside}</g>"#,
                tenths(row * CELL_HEIGHT)
            );
        }
    }
    document(picture, palette, "", &body)
}

/// Returns a whole file: the frame, more style, and the body.
pub(super) fn document(picture: &Picture, palette: &Palette, style: &str, body: &str) -> String {
    let width = tenths(picture.columns * CELL_WIDTH + 2 * MARGIN);
    let height = tenths(picture.rows.len() * CELL_HEIGHT + 2 * MARGIN);
    let Palette {
        background,
        foreground,
        dim,
        border,
        colours,
    } = palette;
    let mut classes = String::new();
    for (index, colour) in colours.iter().enumerate() {
        let _ = write!(classes, ".c{index}{{fill:{colour}}}");
    }
    let margin = tenths(MARGIN);
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img">
<style>text,.g{{fill:{foreground}}}text{{font:14px "DejaVu Sans Mono",ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre}}rect,.g{{shape-rendering:crispEdges}}.b{{font-weight:700}}{classes}.d{{fill:{dim}}}.r{{fill:{background}}}{style}</style>
<rect x="0.5" y="0.5" width="{}" height="{}" rx="6" fill="{background}" stroke="{border}"/>
<g transform="translate({margin} {margin})">
{body}</g>
</svg>
"#,
        tenths(picture.columns * CELL_WIDTH + 2 * MARGIN - 10),
        tenths(picture.rows.len() * CELL_HEIGHT + 2 * MARGIN - 10),
    )
}

/// Returns the elements of a row of cells.
pub(super) fn row(runs: &[Run], palette: &Palette) -> String {
    let mut out = String::new();
    for run in runs {
        if run.look.reversed {
            let fill = run
                .look
                .colour
                .map_or(palette.foreground, |colour| palette.colours[colour]);
            let _ = write!(
                out,
                r#"<rect x="{}" width="{}" height="{}" fill="{fill}"/>"#,
                tenths(run.column * CELL_WIDTH),
                tenths(run.text.chars().count() * CELL_WIDTH),
                tenths(CELL_HEIGHT),
            );
        }
        cells(run, &mut out);
    }
    out
}

/// Writes the characters of a run: words as text that is as wide as its cells in each font, and drawn characters as paths.
fn cells(run: &Run, out: &mut String) {
    let characters: Vec<char> = run.text.chars().collect();
    let mut at = 0;
    while at < characters.len() {
        if characters[at] == ' ' {
            at += 1;
            continue;
        }
        if glyph::path(characters[at]).is_some() {
            let (begin, mut paths) = (at, String::new());
            while let Some(path) = characters.get(at).and_then(|character| glyph::path(*character)) {
                paths.push_str(&path((at - begin) * CELL_WIDTH));
                at += 1;
            }
            let x = tenths((run.column + begin) * CELL_WIDTH);
            let class = class(run.look, "g");
            let _ = write!(out, r#"<path transform="translate({x} 0)"{class} d="{paths}"/>"#);
            continue;
        }
        let begin = at;
        while at < characters.len() && !ends_word(&characters, at, begin) {
            at += 1;
        }
        text(run, begin, &characters[begin..at], out);
    }
}

/// Returns true if the word that begins at `begin` ends before `at`. Words with one space between them stay together. A
/// character that the font may lack stands alone.
fn ends_word(characters: &[char], at: usize, begin: usize) -> bool {
    let character = characters[at];
    let next = characters.get(at + 1).copied().unwrap_or(' ');
    let is_alone = |character: char| !character.is_ascii();
    glyph::path(character).is_some()
        || (character == ' ' && (next == ' ' || is_alone(next) || glyph::path(next).is_some()))
        || (at > begin && (is_alone(character) || is_alone(characters[begin])))
}

fn text(run: &Run, begin: usize, characters: &[char], out: &mut String) {
    let x = tenths((run.column + begin) * CELL_WIDTH);
    let y = tenths(BASELINE);
    let length = tenths(characters.len() * CELL_WIDTH);
    let class = class(run.look, "");
    let _ = write!(
        out,
        r#"<text x="{x}" y="{y}"{class} textLength="{length}" lengthAdjust="spacingAndGlyphs">"#
    );
    for character in characters {
        match character {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            character => out.push(*character),
        }
    }
    out.push_str("</text>");
}

/// Returns the attribute with the classes of a look.
fn class(look: Look, first: &str) -> String {
    let mut classes = first.to_owned();
    let mut add = |class: &str| {
        if !classes.is_empty() {
            classes.push(' ');
        }
        classes.push_str(class);
    };
    if look.bold {
        add("b");
    }
    match look.colour {
        _ if look.reversed => add("r"),
        Some(colour) => add(&format!("c{colour}")),
        None if look.dim => add("d"),
        None => {}
    }
    if classes.is_empty() {
        String::new()
    } else {
        format!(r#" class="{classes}""#)
    }
}

/// Writes tenths of a pixel as pixels.
pub(super) fn tenths(number: usize) -> String {
    match number % 10 {
        0 => (number / 10).to_string(),
        rest => format!("{}.{rest}", number / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(output: &str) -> Picture {
        let mut parser = vt100::Parser::new(3, 24, 0);
        parser.process(output.as_bytes());
        Picture::of(parser.screen())
    }

    #[test]
    fn looks_characters_and_drawings_of_a_screen() {
        let output = "\x1b[1mpin\x1b[0m \x1b[2mdim\x1b[0m \x1b[31m! <a&b>\x1b[0m\r\n\
                      \x1b[7m> row  †  \x1b[0m x…\r\n\x1b[36m⣀⣤⣿\x1b[0m├─ a │ b ██▌▂";
        insta::assert_snapshot!(still(&picture(output), &DARK));
    }

    #[test]
    fn the_same_screen_gives_the_same_file_and_colours_differ() {
        let screen = picture("\x1b[31mred");
        assert_eq!(still(&screen, &LIGHT), still(&screen, &LIGHT));
        assert_ne!(still(&screen, &LIGHT), still(&screen, &DARK));
    }
}

//! Several screens as one SVG that shows them one after another.

use std::fmt::Write as _;

use super::svg::{CELL_HEIGHT, Palette, Picture, document, row, tenths};

/// Seconds of each screen, in tenths.
const TENTHS: usize = 14;

/// Returns the animation. Rows that several screens have are written once. The first screen is shown where nothing moves.
pub(super) fn animated(frames: &[Picture], palette: &Palette) -> String {
    let Some(first) = frames.first() else {
        return String::new();
    };
    let mut known: Vec<String> = Vec::new();
    let mut body = String::new();
    for (number, frame) in frames.iter().enumerate() {
        let _ = write!(
            body,
            r#"<g class="f f{number}" style="animation-delay:{}s">"#,
            tenths(number * TENTHS)
        );
        for (line, runs) in frame.rows.iter().enumerate() {
            let inside = row(runs, palette);
            if inside.is_empty() {
                continue;
            }
            let id = known
                .iter()
                .position(|before| *before == inside)
                .unwrap_or_else(|| {
                    known.push(inside);
                    known.len() - 1
                });
            let _ = write!(
                body,
                r##"<use href="#r{id}" y="{}"/>"##,
                tenths(line * CELL_HEIGHT)
            );
        }
        body.push_str("</g>\n");
    }
    let mut rows = String::new();
    for (id, inside) in known.iter().enumerate() {
        let _ = writeln!(rows, r#"<g id="r{id}">{inside}</g>"#);
    }
    let style = format!(
        ".f{{opacity:0;animation:s {}s steps(1,end) infinite}}.f0{{opacity:1}}\
         @keyframes s{{0%{{opacity:1}}{}%{{opacity:0}}100%{{opacity:0}}}}\
         @media(prefers-reduced-motion:reduce){{.f{{animation:none}}}}",
        tenths(frames.len() * TENTHS),
        // Rounded up: a gap between two screens would flicker.
        tenths(1000_usize.div_ceil(frames.len().max(1))),
    );
    document(first, palette, &style, &format!("<defs>\n{rows}</defs>\n{body}"))
}

#[cfg(test)]
mod tests {
    use super::super::svg::LIGHT;
    use super::*;

    #[test]
    fn a_row_of_two_screens_is_written_once() {
        let picture = |output: &str| {
            let mut parser = vt100::Parser::new(2, 10, 0);
            parser.process(output.as_bytes());
            Picture::of(parser.screen())
        };
        let text = animated(&[picture("same\r\none"), picture("same\r\ntwo")], &LIGHT);
        assert_eq!(text.matches(">same<").count(), 1, "{text}");
        insta::assert_snapshot!(text);
    }
}

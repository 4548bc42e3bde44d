//! The number of colours that a terminal shows.

use ratatui::style::Color;

use super::colour::{Colour, distance};

/// The number of colours that a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourDepth {
    /// None.
    Never,
    /// The 16 named colours.
    Sixteen,
    /// 256 colours: the named ones, a cube of six shades each way, and 24 greys.
    Indexed,
    /// All shades.
    Full,
}

/// The shades of each side of the cube.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

impl ColourDepth {
    /// Every depth.
    pub const ALL: [Self; 4] = [Self::Never, Self::Sixteen, Self::Indexed, Self::Full];

    /// Returns the name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Sixteen => "16",
            Self::Indexed => "256",
            Self::Full => "truecolor",
        }
    }

    /// Returns the nearest colour that the terminal shows.
    pub(super) fn show(self, colour: Colour) -> Option<Color> {
        match (self, colour) {
            (Self::Never, _) => None,
            (Self::Sixteen, colour) => Some(colour.nearest_basic().terminal()),
            (Self::Indexed, Colour::Rgb(red, green, blue)) => Some(Color::Indexed(index((red, green, blue)))),
            (Self::Indexed | Self::Full, colour) => Some(colour.terminal()),
        }
    }
}

/// Returns the number of the nearest of 256 colours, without the 16 named ones, whose shade is unknown.
fn index(shade: (u8, u8, u8)) -> u8 {
    let side = |value: u8| {
        (0_u8..)
            .zip(CUBE)
            .min_by_key(|(_, one)| one.abs_diff(value))
            .unwrap_or((0, 0))
    };
    let (red, green, blue) = (side(shade.0), side(shade.1), side(shade.2));
    let in_cube = (16 + 36 * red.0 + 6 * green.0 + blue.0, (red.1, green.1, blue.1));
    let greys = (0..24_u8).map(|number| {
        let value = 8 + 10 * number;
        (232 + number, (value, value, value))
    });
    let all = std::iter::once(in_cube).chain(greys);
    all.min_by_key(|(_, one)| distance(shade, *one))
        .map_or(16, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_256_colours_is_in_the_cube_or_grey() {
        assert_eq!(index((0, 0, 0)), 16);
        assert_eq!(index((255, 255, 255)), 231);
        assert_eq!(index((255, 0, 0)), 196);
        assert_eq!(index((118, 118, 118)), 243);
    }

    #[test]
    fn a_terminal_gets_no_colour_that_it_does_not_show() {
        let shade = Colour::Rgb(213, 94, 0);
        assert_eq!(ColourDepth::Never.show(shade), None);
        assert_eq!(ColourDepth::Sixteen.show(shade), Some(Color::Red));
        assert_eq!(ColourDepth::Indexed.show(shade), Some(Color::Indexed(166)));
        assert_eq!(ColourDepth::Full.show(shade), Some(Color::Rgb(213, 94, 0)));
        assert_eq!(ColourDepth::Full.show(Colour::Basic(1)), Some(Color::Red));
    }
}

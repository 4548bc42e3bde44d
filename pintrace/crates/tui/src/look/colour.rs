//! A colour of the configuration: one of the 16 names of terminals, or `#rrggbb`.

use std::fmt;
use std::str::FromStr;

use ratatui::style::Color;

/// A colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// One of the 16 colours whose shade the terminal chooses, by its number.
    Basic(u8),
    /// A shade of red, green and blue.
    Rgb(u8, u8, u8),
}

/// The 16 colours by number: the name, the colour of ratatui, and the usual shade.
const BASIC: [(&str, Color, (u8, u8, u8)); 16] = [
    ("black", Color::Black, (0, 0, 0)),
    ("red", Color::Red, (205, 0, 0)),
    ("green", Color::Green, (0, 205, 0)),
    ("yellow", Color::Yellow, (205, 205, 0)),
    ("blue", Color::Blue, (0, 0, 238)),
    ("magenta", Color::Magenta, (205, 0, 205)),
    ("cyan", Color::Cyan, (0, 205, 205)),
    ("white", Color::Gray, (229, 229, 229)),
    ("bright-black", Color::DarkGray, (127, 127, 127)),
    ("bright-red", Color::LightRed, (255, 0, 0)),
    ("bright-green", Color::LightGreen, (0, 255, 0)),
    ("bright-yellow", Color::LightYellow, (255, 255, 0)),
    ("bright-blue", Color::LightBlue, (92, 92, 255)),
    ("bright-magenta", Color::LightMagenta, (255, 0, 255)),
    ("bright-cyan", Color::LightCyan, (0, 255, 255)),
    ("bright-white", Color::White, (255, 255, 255)),
];

impl Colour {
    /// Returns the names of the 16 colours.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BASIC.iter().map(|(name, ..)| *name)
    }

    /// Returns the colour for the terminal.
    pub(super) fn terminal(self) -> Color {
        match self {
            Self::Basic(number) => basic(number).1,
            Self::Rgb(red, green, blue) => Color::Rgb(red, green, blue),
        }
    }

    /// Returns the nearest of the 16 colours.
    pub(super) fn nearest_basic(self) -> Self {
        let Self::Rgb(red, green, blue) = self else {
            return self;
        };
        let shades = (0_u8..).zip(BASIC);
        let nearest = shades.min_by_key(|(_, (_, _, shade))| distance((red, green, blue), *shade));
        Self::Basic(nearest.map_or(0, |(number, _)| number))
    }
}

fn basic(number: u8) -> (&'static str, Color, (u8, u8, u8)) {
    BASIC[usize::from(number) % BASIC.len()]
}

/// Returns the square of the distance of two shades.
pub(super) fn distance(one: (u8, u8, u8), other: (u8, u8, u8)) -> u32 {
    let square = |one: u8, other: u8| u32::from(one.abs_diff(other)).pow(2);
    square(one.0, other.0) + square(one.1, other.1) + square(one.2, other.2)
}

impl fmt::Display for Colour {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic(number) => formatter.write_str(basic(*number).0),
            Self::Rgb(red, green, blue) => write!(formatter, "#{red:02x}{green:02x}{blue:02x}"),
        }
    }
}

/// A text is no colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such colour")]
pub struct UnknownColour;

impl FromStr for Colour {
    type Err = UnknownColour;

    fn from_str(text: &str) -> Result<Self, UnknownColour> {
        let mut names = (0_u8..).zip(Self::names());
        if let Some((number, _)) = names.find(|(_, name)| *name == text) {
            return Ok(Self::Basic(number));
        }
        let digits = text.strip_prefix('#').ok_or(UnknownColour)?;
        let is_shade = digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        if !is_shade {
            return Err(UnknownColour);
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16)
            .map_err(|_| UnknownColour)?
            .to_be_bytes();
        Ok(Self::Rgb(red, green, blue))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_a_name_or_six_digits() {
        for text in Colour::names().chain(["#00ff7f"]) {
            assert_eq!(text.parse::<Colour>().unwrap().to_string(), text);
        }
        for text in ["", "Red", "#fff", "#+12345", "#00ff7g", "#é1234", "\x1b[31m"] {
            assert_eq!(text.parse::<Colour>(), Err(UnknownColour), "{text}");
        }
    }

    #[test]
    fn the_nearest_of_the_16_colours_is_found() {
        assert_eq!(Colour::Rgb(250, 5, 5).nearest_basic().to_string(), "bright-red");
        assert_eq!(Colour::Rgb(10, 10, 10).nearest_basic().to_string(), "black");
    }
}

//! The colours and characters of the screen, as the configuration chooses them.

mod colour;
mod depth;
mod presets;

pub use self::colour::{Colour, UnknownColour};
pub use self::depth::ColourDepth;
pub use self::presets::ColourPalette;

use super::theme::Theme;

/// What a colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StyleName {
    /// The column that orders a list, the selected tab, a state of the display.
    Accent,
    /// Losses and alarms.
    Alarm,
    /// Findings of the severity hazard.
    Hazard,
    /// The row under the cursor, whose text is reversed: the colour is its background.
    Selected,
}

impl StyleName {
    /// Every style that has a colour.
    pub const ALL: [Self; 4] = [Self::Accent, Self::Alarm, Self::Hazard, Self::Selected];

    /// Returns the name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accent => "accent",
            Self::Alarm => "alarm",
            Self::Hazard => "hazard",
            Self::Selected => "selected",
        }
    }

    /// Returns what the colour stands for.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::Accent => "the sort column, the selected tab, a state of the display",
            Self::Alarm => "losses and alarms",
            Self::Hazard => "findings of the severity hazard",
            Self::Selected => "the background of the row under the cursor",
        }
    }
}

/// The characters of the graphs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GraphCharacters {
    /// Braille characters: two values and four heights in each.
    #[default]
    Braille,
    /// ASCII characters, for the console of Linux, whose font lacks braille.
    Ascii,
}

/// The colours and characters of the screen.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub(super) theme: Theme,
}

impl Look {
    /// Returns a look. A style in `styles` replaces that of the palette. The palette `monochrome` and the depth `never` have
    /// no colours.
    #[must_use]
    pub fn new(
        palette: ColourPalette,
        depth: ColourDepth,
        styles: &[(StyleName, Colour)],
        graph: GraphCharacters,
    ) -> Self {
        let colour = |style: StyleName| {
            if palette == ColourPalette::Monochrome {
                return None;
            }
            let chosen = styles.iter().rev().find(|(name, _)| *name == style);
            match chosen {
                Some((_, colour)) => depth.show(*colour),
                None => palette.colour(style, depth),
            }
        };
        let theme = Theme {
            accent: colour(StyleName::Accent),
            alarm: colour(StyleName::Alarm),
            hazard: colour(StyleName::Hazard),
            selected: colour(StyleName::Selected),
            graph,
        };
        Self { theme }
    }
}

impl Default for Look {
    fn default() -> Self {
        Self::new(
            ColourPalette::Default,
            ColourDepth::Sixteen,
            &[],
            GraphCharacters::Braille,
        )
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::Color;

    use super::*;

    fn accent(palette: ColourPalette, depth: ColourDepth, styles: &[(StyleName, Colour)]) -> Option<Color> {
        let look = Look::new(palette, depth, styles, GraphCharacters::Braille);
        look.theme.accent
    }

    #[test]
    fn a_named_style_replaces_that_of_the_palette() {
        let own = [(StyleName::Accent, "#102030".parse().unwrap())];
        let shown = |depth| accent(ColourPalette::Light, depth, &own);
        assert_eq!(shown(ColourDepth::Full), Some(Color::Rgb(0x10, 0x20, 0x30)));
        assert_eq!(shown(ColourDepth::Sixteen), Some(Color::Black));
        assert_eq!(shown(ColourDepth::Never), None);
        assert_eq!(accent(ColourPalette::Monochrome, ColourDepth::Full, &own), None);
    }
}

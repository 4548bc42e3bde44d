//! The colours of each palette.

use ratatui::style::Color;

use super::StyleName;
use super::colour::Colour;
use super::depth::ColourDepth;

/// A choice of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourPalette {
    /// The colours of the terminal.
    #[default]
    Default,
    /// Colours of Okabe and Ito, which differ for all kinds of colour vision, on dark and on light backgrounds.
    ColourBlind,
    /// Dark colours, for a light background.
    Light,
    /// No colours: bold, dim and reversed text.
    Monochrome,
}

/// A colour among 16, and its shade where more can be shown.
type Preset = (u8, Option<(u8, u8, u8)>);

impl ColourPalette {
    /// Every palette.
    pub const ALL: [Self; 4] = [Self::Default, Self::ColourBlind, Self::Light, Self::Monochrome];

    /// Returns the name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::ColourBlind => "colour-blind",
            Self::Light => "light",
            Self::Monochrome => "monochrome",
        }
    }

    /// Returns the colour of a style on a terminal.
    pub(super) fn colour(self, style: StyleName, depth: ColourDepth) -> Option<Color> {
        let (basic, shade) = self.preset(style)?;
        match shade {
            Some((red, green, blue)) if depth != ColourDepth::Sixteen => {
                depth.show(Colour::Rgb(red, green, blue))
            }
            _ => depth.show(Colour::Basic(basic)),
        }
    }

    const fn preset(self, style: StyleName) -> Option<Preset> {
        match (self, style) {
            (Self::Monochrome, _) | (_, StyleName::Selected) => None,
            (Self::Default, StyleName::Accent) => Some((6, None)),
            (Self::Default, StyleName::Alarm) => Some((1, None)),
            (Self::Default, StyleName::Hazard) => Some((3, None)),
            (Self::ColourBlind, StyleName::Accent) => Some((12, Some((0, 114, 178)))),
            (Self::ColourBlind, StyleName::Alarm) => Some((1, Some((213, 94, 0)))),
            (Self::ColourBlind, StyleName::Hazard) => Some((5, Some((204, 121, 167)))),
            (Self::Light, StyleName::Accent) => Some((4, Some((0, 75, 145)))),
            (Self::Light, StyleName::Alarm) => Some((1, Some((165, 0, 20)))),
            // Yellow is unreadable on white.
            (Self::Light, StyleName::Hazard) => Some((5, Some((125, 75, 0)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance((red, green, blue): (u8, u8, u8)) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// Returns the contrast of WCAG.
    fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    const WHITE: (u8, u8, u8) = (255, 255, 255);
    const BLACK: (u8, u8, u8) = (0, 0, 0);

    fn presets(palette: ColourPalette) -> Vec<Preset> {
        StyleName::ALL
            .into_iter()
            .filter_map(|style| palette.preset(style))
            .collect()
    }

    #[test]
    fn the_light_palette_is_readable_on_white() {
        for (basic, shade) in presets(ColourPalette::Light) {
            assert!(contrast(shade.unwrap(), WHITE) > 7.0, "{shade:?}");
            // Red, blue, magenta.
            assert!([1, 4, 5].contains(&basic), "{basic}");
        }
    }

    #[test]
    fn the_colour_blind_palette_is_readable_on_both_backgrounds() {
        for (_, shade) in presets(ColourPalette::ColourBlind) {
            for background in [WHITE, BLACK] {
                let contrast = contrast(shade.unwrap(), background);
                // Bold text needs 3.
                assert!(contrast >= 3.0, "{shade:?} on {background:?}: {contrast}");
            }
        }
    }

    #[test]
    fn the_colours_of_a_palette_differ() {
        for palette in [
            ColourPalette::Default,
            ColourPalette::ColourBlind,
            ColourPalette::Light,
        ] {
            let presets = presets(palette);
            for (index, preset) in presets.iter().enumerate() {
                assert!(
                    !presets[index + 1..].iter().any(|other| other.0 == preset.0),
                    "{palette:?}"
                );
            }
        }
    }
}

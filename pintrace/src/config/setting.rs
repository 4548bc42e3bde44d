//! One setting: its name, its value, its origin, and its text in a file.

use std::time::Duration;

use pintrace_tui::look::{Colour, ColourDepth, ColourPalette, StyleName};
use pintrace_tui::{KeyBinding, Sort, View};

use super::origin::Origin;
use super::values;

/// A setting with its value.
#[derive(Clone, Debug, PartialEq)]
pub enum Setting {
    /// The time between two samples.
    Interval(Duration),
    /// The first view.
    View(View),
    /// The first query.
    Filter(String),
    /// Show ended processes.
    Ended(bool),
    /// React to the mouse.
    Mouse(bool),
    /// The number of colours.
    Colours(Colours),
    /// The choice of colours.
    Palette(ColourPalette),
    /// The colour of a style.
    Style(StyleName, Colour),
    /// The columns to show of a view, in order.
    Columns(View, Vec<&'static str>),
    /// The order of a view.
    Sort(View, Sort),
    /// A key and its command.
    Key(KeyBinding),
}

/// The number of colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// As many as the terminal seems to have.
    Auto,
    /// This many.
    Depth(ColourDepth),
}

/// A setting in force.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) setting: Setting,
    pub(super) origin: Origin,
}

impl Setting {
    /// Returns the name of the setting: the table, if there is one, and the key.
    pub(super) fn path(&self) -> (&'static str, String) {
        match self {
            Self::Interval(_) => ("", "interval".to_owned()),
            Self::View(_) => ("", "view".to_owned()),
            Self::Filter(_) => ("", "filter".to_owned()),
            Self::Ended(_) => ("", "ended".to_owned()),
            Self::Mouse(_) => ("", "mouse".to_owned()),
            Self::Colours(_) => ("", "colours".to_owned()),
            Self::Palette(_) => ("", "palette".to_owned()),
            Self::Style(style, _) => ("styles", style.as_str().to_owned()),
            Self::Columns(view, _) => ("columns", view.id().to_owned()),
            Self::Sort(view, _) => ("sort", view.id().to_owned()),
            Self::Key(binding) => ("keys", binding.key()),
        }
    }

    /// Returns the place of the setting among all.
    pub(super) fn rank(&self) -> (u8, usize) {
        let of_view = |view: View| View::ALL.iter().position(|one| *one == view).unwrap_or(0);
        match self {
            Self::Interval(_) => (0, 0),
            Self::View(_) => (1, 0),
            Self::Filter(_) => (2, 0),
            Self::Ended(_) => (3, 0),
            Self::Mouse(_) => (4, 0),
            Self::Colours(_) => (5, 0),
            Self::Palette(_) => (6, 0),
            Self::Style(style, _) => (7, *style as usize),
            Self::Columns(view, _) => (8, of_view(*view)),
            Self::Sort(view, _) => (9, of_view(*view)),
            Self::Key(_) => (10, 0),
        }
    }

    /// Returns the value as TOML.
    pub(super) fn toml(&self) -> String {
        match self {
            Self::Interval(interval) => values::quoted(&values::time(*interval)),
            Self::View(view) => values::quoted(view.id()),
            Self::Filter(text) => values::quoted(text),
            Self::Ended(flag) | Self::Mouse(flag) => flag.to_string(),
            Self::Colours(colours) => values::quoted(colours.as_str()),
            Self::Palette(palette) => values::quoted(palette.as_str()),
            Self::Style(_, colour) => values::quoted(&colour.to_string()),
            Self::Columns(_, columns) => {
                let quoted: Vec<String> = columns.iter().map(|id| values::quoted(id)).collect();
                format!("[{}]", quoted.join(", "))
            }
            Self::Sort(_, sort) => values::quoted(&values::sort_text(*sort)),
            Self::Key(binding) => values::quoted(binding.command()),
        }
    }
}

impl Colours {
    /// Every value.
    pub const ALL: [Self; 5] = [
        Self::Auto,
        Self::Depth(ColourDepth::Never),
        Self::Depth(ColourDepth::Sixteen),
        Self::Depth(ColourDepth::Indexed),
        Self::Depth(ColourDepth::Full),
    ];

    /// Returns the name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Depth(depth) => depth.as_str(),
        }
    }
}

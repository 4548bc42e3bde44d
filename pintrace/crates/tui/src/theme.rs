//! The styles of the screen. Colour only repeats a mark or a word.

use ratatui::style::{Color, Modifier, Style};

use pintrace_model::finding::Severity;

use super::look::GraphCharacters;
#[cfg(any(test, feature = "bench"))]
use super::look::{ColourDepth, ColourPalette, Look};

/// The styles of the screen. Without colours, bold, dim and reversed text remain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    pub(super) accent: Option<Color>,
    pub(super) alarm: Option<Color>,
    pub(super) hazard: Option<Color>,
    pub(super) selected: Option<Color>,
    /// The characters of the graphs.
    pub(super) graph: GraphCharacters,
}

fn tinted(style: Style, color: Option<Color>) -> Style {
    color.map_or(style, |color| style.fg(color))
}

impl Theme {
    /// Returns the styles of the terminal's own colours, or of none.
    #[cfg(any(test, feature = "bench"))]
    pub(super) fn new(color: bool) -> Self {
        let depth = if color {
            ColourDepth::Sixteen
        } else {
            ColourDepth::Never
        };
        Look::new(ColourPalette::Default, depth, &[], GraphCharacters::Braille).theme
    }

    /// Ordinary text.
    pub(super) fn plain(self) -> Style {
        let Self { .. } = self;
        Style::new()
    }

    /// Names and headings.
    pub(super) fn strong(self) -> Style {
        self.plain().add_modifier(Modifier::BOLD)
    }

    /// Labels and ended processes. Dim text instead of grey, which is unreadable in many palettes.
    pub(super) fn dim(self) -> Style {
        self.plain().add_modifier(Modifier::DIM)
    }

    /// The column that orders a list, the selected tab, a state of the display.
    pub(super) fn accent(self) -> Style {
        tinted(self.strong(), self.accent)
    }

    /// Losses and alarms, always with a `!` or a word.
    pub(super) fn alarm(self) -> Style {
        tinted(self.strong(), self.alarm)
    }

    /// The severity of a finding, only on the word of the severity.
    pub(super) fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Alarm => self.alarm(),
            Severity::Hazard => tinted(self.strong(), self.hazard),
            Severity::Note => self.plain(),
        }
    }

    /// The row under the cursor, always with a `>`.
    pub(super) fn selected(self) -> Style {
        tinted(self.plain().add_modifier(Modifier::REVERSED), self.selected)
    }
}

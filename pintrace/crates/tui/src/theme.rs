//! The styles of the screen. Colour only repeats a mark or a word.

use ratatui::style::{Color, Modifier, Style};

use pintrace_model::finding::Severity;

/// The styles of the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    color: bool,
}

impl Theme {
    /// Returns the styles. Without colour, bold, dim and reversed text remain.
    pub(super) const fn new(color: bool) -> Self {
        Self { color }
    }

    fn tinted(self, style: Style, color: Color) -> Style {
        if self.color { style.fg(color) } else { style }
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
        self.tinted(self.strong(), Color::Cyan)
    }

    /// Losses and alarms, always with a `!` or a word.
    pub(super) fn alarm(self) -> Style {
        self.tinted(self.strong(), Color::Red)
    }

    /// The severity of a finding, only on the word of the severity.
    pub(super) fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Alarm => self.alarm(),
            Severity::Hazard => self.tinted(self.strong(), Color::Yellow),
            Severity::Note => self.plain(),
        }
    }

    /// The row under the cursor, always with a `>`.
    pub(super) fn selected(self) -> Style {
        self.plain().add_modifier(Modifier::REVERSED)
    }
}

//! How things look. Colour only ever repeats what a mark or a word already says.

use ratatui::style::{Color, Modifier, Style};

use pintrace_model::finding::Severity;

/// The few styles of the screen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    color: bool,
}

impl Theme {
    /// Without colour, weight and reversal remain.
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

    /// Labels, and what is over. Not a grey: that is unreadable on half of all palettes.
    pub(super) fn dim(self) -> Style {
        self.plain().add_modifier(Modifier::DIM)
    }

    /// What the eye should find: the sort column, a state of the screen.
    pub(super) fn accent(self) -> Style {
        self.tinted(self.strong(), Color::Cyan)
    }

    /// What must not be overlooked; always beside a `!` or a word for it.
    pub(super) fn alarm(self) -> Style {
        self.tinted(self.strong(), Color::Red)
    }

    /// How bad a finding is; only ever on the word that says so.
    pub(super) fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Alarm => self.alarm(),
            Severity::Hazard => self.tinted(self.strong(), Color::Yellow),
            Severity::Note => self.plain(),
        }
    }

    /// The row under the cursor; always beside a `>`.
    pub(super) fn selected(self) -> Style {
        self.plain().add_modifier(Modifier::REVERSED)
    }
}

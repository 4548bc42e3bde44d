//! The places on the screen that react to the mouse. Each draw collects them anew.

use ratatui::layout::{Position, Rect};

use super::keymap::Action;

/// The effect of a click.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Click {
    /// The effect of a key.
    Act(Action),
    /// Moves the cursor to this row of the list, or opens the row if the cursor is there.
    Row(usize),
    /// Orders by this column, or reverses the order if it is the sort column.
    Column(&'static str),
}

/// The places that react.
#[derive(Debug, Default)]
pub(crate) struct Clicks(Vec<(Rect, Click)>);

impl Clicks {
    /// Forgets all places.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds a place. Later places cover earlier ones.
    pub(crate) fn add(&mut self, place: Rect, click: Click) {
        self.0.push((place, click));
    }

    /// Returns the effect of a click.
    pub(crate) fn at(&self, column: u16, row: u16) -> Option<Click> {
        let position = Position { x: column, y: row };
        let mut places = self.0.iter().rev();
        places
            .find(|(place, _)| place.contains(position))
            .map(|(_, click)| *click)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_that_was_added_last_reacts() {
        let mut clicks = Clicks::default();
        clicks.add(Rect::new(0, 0, 10, 2), Click::Row(0));
        clicks.add(Rect::new(2, 1, 3, 1), Click::Act(Action::Quit));
        assert_eq!(clicks.at(2, 0), Some(Click::Row(0)));
        assert_eq!(clicks.at(4, 1), Some(Click::Act(Action::Quit)));
        assert_eq!(clicks.at(5, 1), Some(Click::Row(0)));
        assert_eq!(clicks.at(0, 2), None);
        clicks.clear();
        assert_eq!(clicks.at(2, 0), None);
    }
}

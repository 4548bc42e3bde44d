//! The options of the live view that the settings give.

use std::time::Duration;

use pintrace_tui::look::{ColourDepth, Look};
use pintrace_tui::{KeyBinding, ViewOptions};

use super::Configuration;
use super::setting::{Colours, Setting};

impl Configuration {
    /// Returns the time between two samples.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let intervals = self.settings().filter_map(|setting| match setting {
            Setting::Interval(interval) => Some(*interval),
            _ => None,
        });
        intervals.last().unwrap_or(Duration::from_secs(1))
    }

    /// Returns the number of colours, also if the terminal decides.
    pub(super) fn depth(&self) -> ColourDepth {
        let chosen = self.settings().find_map(|setting| match setting {
            Setting::Colours(Colours::Depth(depth)) => Some(*depth),
            _ => None,
        });
        chosen.unwrap_or_else(|| self.environment.depth())
    }

    /// Returns the keys beside those of the list.
    #[must_use]
    pub fn keys(&self) -> Vec<KeyBinding> {
        let keys = self.settings().filter_map(|setting| match setting {
            Setting::Key(binding) => Some(binding.clone()),
            _ => None,
        });
        keys.collect()
    }

    /// Returns the options of the view.
    #[must_use]
    pub fn view_options(&self) -> ViewOptions {
        let mut options = ViewOptions::default();
        let mut palette = pintrace_tui::look::ColourPalette::default();
        let mut styles = Vec::new();
        for setting in self.settings().cloned() {
            match setting {
                Setting::Interval(_) | Setting::Colours(_) | Setting::Key(_) => {}
                Setting::View(view) => options.view = view,
                Setting::Filter(text) => options.filter = text,
                Setting::Ended(ended) => options.with_ended = ended,
                Setting::Mouse(mouse) => options.mouse = mouse,
                Setting::Palette(chosen) => palette = chosen,
                Setting::Style(style, colour) => styles.push((style, colour)),
                Setting::Columns(view, columns) => options.columns.push((view, columns)),
                Setting::Sort(view, sort) => options.sort.push((view, sort)),
            }
        }
        options.keys = self.keys();
        options.look = Look::new(palette, self.depth(), &styles, self.environment.graph());
        options
    }
}

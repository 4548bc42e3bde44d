//! The settings of pintrace itself.

use std::time::Duration;

use pintrace_tui::look::ColourPalette;
use pintrace_tui::{View, catalogue};

use super::origin::Origin;
use super::setting::{Colours, Entry, Setting};

/// Returns the settings of pintrace itself. The styles are those of the palette, and the keys those of the list.
pub(super) fn entries() -> Vec<Entry> {
    let single = [
        Setting::Interval(Duration::from_secs(1)),
        Setting::View(View::default()),
        Setting::Filter(String::new()),
        Setting::Ended(false),
        Setting::Mouse(true),
        Setting::Colours(Colours::Auto),
        Setting::Palette(ColourPalette::default()),
    ];
    let columns = View::ALL.into_iter().filter_map(|view| {
        let columns = catalogue::columns(view).into_iter();
        let shown: Vec<_> = columns
            .filter(|column| column.is_shown)
            .map(|column| column.id)
            .collect();
        (!shown.is_empty()).then_some(Setting::Columns(view, shown))
    });
    let sort = View::ALL
        .into_iter()
        .filter_map(|view| Some(Setting::Sort(view, catalogue::default_sort(view)?)));
    let settings = single.into_iter().chain(columns).chain(sort);
    settings
        .map(|setting| Entry {
            setting,
            origin: Origin::Default,
        })
        .collect()
}

//! The flags of the live view that the configuration has too.

use std::path::PathBuf;
use std::time::Duration;

use pintrace_model::views::ViewName;
use pintrace_tui::look::ColourPalette;

use super::setting::{Colours, Setting};
use super::values;
use crate::cmd::trace_args::duration;
use crate::cmd::view_rows::view_name;

/// The flags of the live view. A flag that is not given leaves the value to the configuration.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct ViewFlags {
    /// The time between two samples, such as 500ms or 2s [default: 1s].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub interval: Option<Duration>,
    /// The view: of --batch, or the first one of the live view.
    #[arg(long, value_name = "VIEW", value_parser = view_name())]
    pub view: Option<ViewName>,
    /// The number of colours: auto, never, 16, 256, truecolor.
    #[arg(long, value_name = "COLOURS", value_parser = values::colours)]
    pub colours: Option<Colours>,
    /// The choice of colours: default, colour-blind, light, monochrome.
    #[arg(long, value_name = "PALETTE", value_parser = values::palette)]
    pub palette: Option<ColourPalette>,
    /// Leave the mouse to the terminal.
    #[arg(long)]
    pub no_mouse: bool,
    #[command(flatten)]
    #[expect(missing_docs, reason = "documented on its own type")]
    pub files: FileFlags,
}

/// The flags that choose the files.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FileFlags {
    /// Read this configuration, and no other (docs/configuration.md).
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Read no configuration.
    #[arg(long)]
    pub no_config: bool,
}

impl FileFlags {
    /// Reads no file.
    pub const NONE: Self = Self {
        config: None,
        no_config: true,
    };
}

impl ViewFlags {
    /// Returns the settings that the flags give, with the flag.
    pub(super) fn settings(&self) -> Vec<(Setting, &'static str)> {
        let settings = [
            self.interval.map(|time| (Setting::Interval(time), "--interval")),
            self.view.map(|view| (Setting::View(view.into()), "--view")),
            self.no_mouse.then_some((Setting::Mouse(false), "--no-mouse")),
            self.colours.map(|number| (Setting::Colours(number), "--colours")),
            self.palette
                .map(|palette| (Setting::Palette(palette), "--palette")),
        ];
        settings.into_iter().flatten().collect()
    }
}

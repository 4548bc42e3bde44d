//! `cargo xtask screenshots`: the pictures of docs/tour.md, from `pintrace replay` over a committed recording.
//!
//! The view runs in a pseudo-terminal of a fixed size, and a terminal emulator gives the cells. A replay has no clock, so the
//! pictures are the same on each machine.

mod animation;
mod glyph;
mod record;
mod scenes;
mod svg;
mod terminal;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;

use self::scenes::{SCENES, Scene};
use self::svg::{Palette, Picture};
use self::terminal::Terminal;
use crate::workspace;

/// The folder of the pictures.
const FOLDER: &str = "docs/pictures";
/// The recording.
const RECORDING: &str = "docs/pictures/demo.pintrace";
/// The colours of the pictures, with the end of their file names.
const PALETTES: [(&str, &Palette); 2] = [("light", &svg::LIGHT), ("dark", &svg::DARK)];

/// The options of `screenshots`.
#[derive(Args)]
pub(crate) struct ScreenshotsTask {
    /// Compare with the committed pictures, and write nothing
    #[arg(long)]
    check: bool,
    /// Record the workloads of the pictures anew first, in a guest
    #[arg(long, conflicts_with = "check")]
    record: bool,
}

impl ScreenshotsTask {
    /// Compares the pictures.
    pub(crate) const CHECK: Self = Self {
        check: true,
        record: false,
    };

    /// Draws the pictures.
    pub(crate) fn run(self) -> Result<ExitCode> {
        let recording = workspace::root().join(RECORDING);
        if self.record {
            record::run(&recording)?;
        }
        let words = ["build", "--package", "pintrace", "--bin", "pintrace"];
        let pintrace = workspace::build("pintrace", &words)?;
        let mut differing = Vec::new();
        for scene in SCENES {
            let wanted = |pictures: &[(PathBuf, String)]| !self.check || pictures.iter().all(is_committed);
            let pictures = draw(scene, &pintrace, &recording, wanted)?;
            for (path, text) in &pictures {
                if !self.check {
                    fs::write(path, text).with_context(|| path.display().to_string())?;
                } else if !is_committed(&(path.clone(), text.clone())) {
                    differing.push(path.display().to_string());
                }
            }
        }
        if !differing.is_empty() {
            bail!(
                "the view differs from these pictures; `cargo xtask screenshots` draws them anew:\n{}",
                differing.join("\n")
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Returns the files of a scene in all colours. Waits for slow draws until `wanted` holds.
fn draw(
    scene: &Scene,
    pintrace: &Path,
    recording: &Path,
    wanted: impl Fn(&[(PathBuf, String)]) -> bool,
) -> Result<Vec<(PathBuf, String)>> {
    let mut terminal = Terminal::start(pintrace, recording)?;
    let mut frames = Vec::new();
    for (index, step) in scene.steps.iter().enumerate() {
        terminal.press(step.keys)?;
        let before = frames.len();
        let is_last = index + 1 == scene.steps.len();
        let screen = terminal.settle(step.until, |screen| {
            frames.truncate(before);
            frames.push(Picture::of(screen));
            !is_last || wanted(&files(scene, &frames))
        });
        screen.with_context(|| format!("the picture {}", scene.name))?;
        if !step.is_frame {
            frames.truncate(before);
        }
    }
    Ok(files(scene, &frames))
}

/// Returns the path and the text of each file of a scene.
fn files(scene: &Scene, frames: &[Picture]) -> Vec<(PathBuf, String)> {
    let file = |(colour, palette): &(&str, &Palette)| {
        let name = format!("{}-{colour}.svg", scene.name);
        let text = match frames {
            [picture] => svg::still(picture, palette),
            frames => animation::animated(frames, palette),
        };
        (workspace::root().join(FOLDER).join(name), text)
    };
    PALETTES.iter().map(file).collect()
}

/// Returns true if the file has this text already.
fn is_committed((path, text): &(PathBuf, String)) -> bool {
    fs::read_to_string(path).is_ok_and(|committed| committed == *text)
}

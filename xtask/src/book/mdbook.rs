//! mdbook, the program that builds the book: its version, its installation and its call.

use std::path::Path;

use anyhow::Result;

use crate::{process, workspace};

/// Version of mdbook.
const VERSION: &str = "0.5.4";
/// Leaves out the web server, and keeps the search inside the book.
const FEATURES: [&str; 3] = ["--no-default-features", "--features", "search"];

/// Installs mdbook at exactly the pinned version.
pub(crate) fn install() -> Result<()> {
    let found = process::stdout(process::program("mdbook").arg("--version")).unwrap_or_default();
    if found.trim() == format!("mdbook v{VERSION}") {
        return Ok(());
    }
    eprintln!("xtask: installing mdbook {VERSION} (takes some minutes)");
    let words = ["install", "--quiet", "--force", "--locked", "--version", VERSION];
    process::run(workspace::cargo(&words).args(FEATURES).arg("mdbook"))
}

/// Builds the book of the folder `source` into the folder `target`. Both are relative to the root of the checkout.
pub(super) fn build(source: &str, target: &str) -> Result<()> {
    let root = workspace::root();
    let mut mdbook = process::program("mdbook");
    mdbook
        .args(["build", source, "--dest-dir"])
        .arg(root.join(Path::new(target)))
        .current_dir(root)
        .env("MDBOOK_LOG", "warn");
    process::run(&mut mdbook)
}

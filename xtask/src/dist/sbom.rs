//! The list of components in the program (CycloneDX), so that users can compare it with advisories.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::release::Release;
use crate::{process, workspace};

/// The start of the file name that cargo-cyclonedx gets.
const NAME: &str = "pintrace.components";

/// Writes the list.
pub(super) fn write(release: &Release, output: &Path) -> Result<PathBuf> {
    let mut command = workspace::cargo(&["cyclonedx", "--quiet", "--format", "json"]);
    command
        .args([
            "--manifest-path",
            "pintrace/Cargo.toml",
            "--override-filename",
            NAME,
        ])
        .args(["--target", release.architecture.target(), "--no-build-deps"])
        .env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    let made = process::stdout(&mut command);
    let text = take_lists()?;
    made?;
    let file = output.join(format!("{}.cdx.json", release.name()));
    let text = anonymous(&text);
    check(&text)?;
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// Returns the list of the program. cargo-cyclonedx writes a list into the folder of each package of the workspace, and
/// all of them are removed.
fn take_lists() -> Result<String> {
    let mut text = String::new();
    for folder in workspace::package_folders()? {
        let list = folder.join(format!("{NAME}.json"));
        if folder == workspace::root().join("pintrace") {
            text = fs::read_to_string(&list)
                .with_context(|| format!("cargo-cyclonedx wrote no {}", list.display()))?;
        }
        if list.exists() {
            fs::remove_file(&list).with_context(|| format!("cannot remove {}", list.display()))?;
        }
    }
    Ok(text)
}

/// Returns the list without the folder of the checkout.
fn anonymous(text: &str) -> String {
    text.replace(&*workspace::root().to_string_lossy(), "/usr/src/pintrace")
}

/// Fails if the list does not name the program and its components.
fn check(text: &str) -> Result<()> {
    let list: Value = serde_json::from_str(text).context("cargo-cyclonedx wrote no JSON")?;
    let components = list["components"].as_array().map_or(0, Vec::len);
    if list["bomFormat"] != "CycloneDX"
        || list["metadata"]["component"]["name"] != "pintrace"
        || components < 50
    {
        bail!("the list of components is incomplete: {components} components");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incomplete_list_is_refused() {
        assert!(check("no JSON").is_err());
        let list = |count: usize| {
            let components = vec![serde_json::json!({"name": "x"}); count];
            let program = serde_json::json!({"component": {"name": "pintrace"}});
            serde_json::json!({"bomFormat": "CycloneDX", "metadata": program, "components": components})
                .to_string()
        };
        assert!(check(&list(3)).is_err());
        check(&list(60)).unwrap();
    }

    #[test]
    fn the_folder_of_the_checkout_is_replaced() {
        let text = format!("path+file://{}/pintrace#0.1.0", workspace::root().display());
        assert_eq!(anonymous(&text), "path+file:///usr/src/pintrace/pintrace#0.1.0");
    }
}

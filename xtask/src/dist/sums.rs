//! SHA256SUMS, and sizes in messages.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;

/// Writes SHA256SUMS of the files, which all lie in `folder`.
pub(super) fn write(files: &[PathBuf], folder: &Path) -> Result<PathBuf> {
    let mut command = process::program("sha256sum");
    let mut names: Vec<String> = files.iter().map(|file| super::name(file)).collect();
    names.sort();
    let text = process::stdout(command.args(names).current_dir(folder))?;
    let sums = folder.join("SHA256SUMS");
    fs::write(&sums, text).with_context(|| format!("cannot write {}", sums.display()))?;
    Ok(sums)
}

/// Returns a number of bytes with blanks between the thousands.
pub(super) fn grouped(bytes: u64) -> String {
    let digits = bytes.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1000), "1 000");
        assert_eq!(grouped(12_345_678), "12 345 678");
    }
}

//! The pages of the project in Markdown, for tests that compare them with the code.

pub mod shell;
pub mod spans;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The pages outside of `docs`.
const OUTSIDE: [&str; 5] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
];

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The path from the root of the repository.
    pub path: String,
    /// The text in Markdown.
    pub text: String,
}

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

/// Returns all pages: those of the root, and those of `docs`.
pub fn all() -> io::Result<Vec<Document>> {
    let root = root();
    read(&root, OUTSIDE.map(str::to_owned).to_vec())
}

/// Returns the pages of the book in a folder with README.md and `docs`.
pub fn of_book(root: &Path) -> io::Result<Vec<Document>> {
    read(root, vec!["README.md".to_owned()])
}

/// Reads pages with these paths, and all pages of `docs`.
fn read(root: &Path, mut paths: Vec<String>) -> io::Result<Vec<Document>> {
    pages_below(root, "docs", &mut paths)?;
    paths.sort();
    let read = |path: String| {
        let text = fs::read_to_string(root.join(&path))
            .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))?;
        Ok(Document { path, text })
    };
    paths.into_iter().map(read).collect()
}

fn pages_below(root: &Path, folder: &str, found: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            pages_below(root, &path, found)?;
        } else if Path::new(&path).extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_the_root_and_of_docs_are_found() {
        let documents = all().unwrap();
        for path in ["README.md", "docs/glossary.md", "docs/design/scan.md"] {
            assert!(documents.iter().any(|document| document.path == path), "{path}");
        }
    }
}

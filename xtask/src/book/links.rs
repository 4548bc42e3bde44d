//! Checks that each link leads to a file and to a heading of that file, and that the book has all of its pages.

use std::path::{Component, Path, PathBuf};

use super::SOURCE;
use super::page::Page;

/// The table of contents of the book.
const SUMMARY: &str = "docs/SUMMARY.md";

/// The numbers of links.
#[derive(Default)]
pub(super) struct Counts {
    /// The links to files and headings of the repository, which are checked.
    pub(super) internal: usize,
    /// The links to other hosts, which are not checked, because the checks run without a network.
    pub(super) external: usize,
}

/// The result of a check.
#[derive(Default)]
pub(super) struct Checked {
    pub(super) broken: Vec<String>,
    pub(super) counts: Counts,
}

/// Checks the links of all pages.
pub(super) fn check(root: &Path, pages: &[Page]) -> Checked {
    let mut checked = Checked::default();
    for page in pages {
        for link in &page.links {
            if is_external(link) {
                checked.counts.external += 1;
                continue;
            }
            checked.counts.internal += 1;
            if let Some(mistake) = mistake(root, pages, page, link) {
                checked.broken.push(format!("{}: {link}: {mistake}", page.path));
            }
        }
    }
    checked.broken.extend(pages_outside_of_the_book(pages));
    checked
}

/// Returns true if a link has a scheme such as `https:`.
pub(super) fn is_external(link: &str) -> bool {
    let scheme = link.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| !scheme.is_empty() && scheme.chars().all(|char| char.is_ascii_alphabetic()))
}

/// Returns what is wrong with a link.
fn mistake(root: &Path, pages: &[Page], page: &Page, link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = target(page, file)?;
    if !root.join(&target).exists() {
        return Some("no such file".to_owned());
    }
    if is_in_book(&page.path) && !is_in_book(&target) {
        return Some(format!(
            "a page of the book cannot link to a file outside of {SOURCE}"
        ));
    }
    if anchor.is_empty() {
        return None;
    }
    let Some(found) = pages.iter().find(|page| page.path == target) else {
        return Some("an anchor in a file without headings".to_owned());
    };
    let exists = found.anchors.iter().any(|known| known == anchor);
    (!exists).then(|| "no such heading".to_owned())
}

/// Returns the path of a link from the root of the repository.
fn target(page: &Page, file: &str) -> Option<String> {
    if file.is_empty() {
        return Some(page.path.clone());
    }
    let folder = if page.from_root {
        Path::new("")
    } else {
        Path::new(&page.path).parent()?
    };
    let mut path = PathBuf::new();
    for part in folder.join(file).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    Some(path.to_string_lossy().into_owned())
}

fn is_in_book(path: &str) -> bool {
    Path::new(path).starts_with(SOURCE)
}

/// Returns the pages of docs that the table of contents does not name.
fn pages_outside_of_the_book(pages: &[Page]) -> Vec<String> {
    let Some(summary) = pages.iter().find(|page| page.path == SUMMARY) else {
        return vec![format!("{SUMMARY}: no such file")];
    };
    let named: Vec<_> = summary
        .links
        .iter()
        .filter_map(|link| target(summary, link))
        .collect();
    let in_book = pages
        .iter()
        .filter(|page| is_in_book(&page.path) && page.path != SUMMARY);
    let missing = in_book.filter(|page| !named.contains(&page.path));
    missing
        .map(|page| format!("{SUMMARY}: {} is missing", page.path))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns the mistakes of the links of `docs/a.md` with this text, beside `docs/b.md` and `out.md`.
    fn broken(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("docs")).unwrap();
        let files = [
            ("docs/a.md", text),
            ("docs/b.md", "# Here\n"),
            (SUMMARY, "[a](a.md) [b](b.md)\n"),
            ("out.md", "# Out\n"),
        ];
        let pages = files.map(|(path, text)| {
            fs::write(folder.path().join(path), text).unwrap();
            Page::from_markdown(path.to_owned(), text)
        });
        check(folder.path(), &pages).broken
    }

    #[test]
    fn links_to_files_and_headings_are_right() {
        assert_eq!(
            broken("# A\n\n[b](b.md#here) [a](#a) [b](./b.md)"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_missing_file_and_a_missing_heading_are_broken() {
        assert_eq!(
            broken("[c](c.md) [b](b.md#there) [a](#there)"),
            [
                "docs/a.md: c.md: no such file",
                "docs/a.md: b.md#there: no such heading",
                "docs/a.md: #there: no such heading",
            ]
        );
    }

    #[test]
    fn a_page_of_the_book_links_to_no_file_outside() {
        assert_eq!(broken("[out](../out.md)").len(), 1);
    }

    #[test]
    fn a_page_that_the_table_of_contents_lacks_is_named() {
        let summary = Page::from_markdown(SUMMARY.to_owned(), "[b](b.md)");
        let page = Page::from_markdown("docs/c.md".to_owned(), "");
        assert_eq!(
            pages_outside_of_the_book(&[summary, page]),
            ["docs/SUMMARY.md: docs/c.md is missing"]
        );
    }

    #[test]
    fn links_with_a_scheme_are_external() {
        assert!(is_external("https://a.example/b") && is_external("mailto:a@b.example"));
        assert!(!is_external("a.md#b:c") && !is_external("a.md"));
    }
}

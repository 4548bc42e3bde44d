//! Checks the links of the built book: mdbook turns links to pages in Markdown into links to files in HTML.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::links::is_external;
use super::page::of_html;

/// The page with all pages, whose anchors mdbook numbers anew, and the page for a missing page.
const NOT_CHECKED: [&str; 2] = ["print.html", "404.html"];

/// Returns the number of internal links, and a line for each broken one.
pub(super) fn check(book: &Path) -> Result<(usize, Vec<String>)> {
    let mut pages = BTreeMap::new();
    read(book, &mut pages)?;
    let mut count = 0;
    let mut broken = Vec::new();
    for (path, html) in &pages {
        let links = of_html(html).into_iter().filter(|link| !is_external(link));
        for link in links.filter(|link| !NOT_CHECKED.iter().any(|page| link.contains(page))) {
            count += 1;
            if let Some(mistake) = mistake(book, &pages, path, &link) {
                let page = path.strip_prefix(book).unwrap_or(path).display();
                broken.push(format!("the book, {page}: {link}: {mistake}"));
            }
        }
    }
    Ok((count, broken))
}

fn mistake(book: &Path, pages: &BTreeMap<PathBuf, String>, page: &Path, link: &str) -> Option<&'static str> {
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent()?.join(file),
    };
    let Ok(target) = target.canonicalize() else {
        return Some("no such file");
    };
    if !target.starts_with(book) {
        return Some("outside of the book");
    }
    let has_anchor = |html: &String| html.contains(&format!("id=\"{anchor}\""));
    let is_right = anchor.is_empty() || pages.get(&target).is_some_and(has_anchor);
    (!is_right).then_some("no such anchor")
}

fn read(folder: &Path, pages: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry.with_context(|| folder.display().to_string())?.path();
        if path.is_dir() {
            read(&path, pages)?;
        } else if path.extension().is_some_and(|end| end == "html") {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if !NOT_CHECKED.contains(&name.as_str()) {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                pages.insert(path, text);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_missing_page_or_anchor_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().canonicalize().unwrap();
        let html = "<h1 id=\"x\"></h1><a href=\"#x\"><a href=\"b.html#y\"><a href=\"c.html\"><img src=\"https://d.example\">";
        fs::write(book.join("a.html"), html).unwrap();
        fs::write(book.join("b.html"), "<h1 id=\"z\">").unwrap();
        let (count, broken) = check(&book).unwrap();
        assert_eq!(count, 3);
        assert_eq!(
            broken,
            [
                "the book, a.html: b.html#y: no such anchor",
                "the book, a.html: c.html: no such file",
            ]
        );
    }
}

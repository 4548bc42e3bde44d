//! The files whose links are checked, and the links in them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::{SOURCE, anchors};

/// The files with links outside of the book.
const OUTSIDE: [&str; 6] = [
    ".github/PULL_REQUEST_TEMPLATE.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
];
/// The alert rules, whose annotations `runbook` name pages.
const ALERTS: &str = "dashboards/alerts.yml";
/// The attributes of HTML that hold a link.
const ATTRIBUTES: [&str; 3] = ["href=\"", "src=\"", "srcset=\""];

/// A file with links.
pub(super) struct Page {
    /// The path from the root of the repository.
    pub(super) path: String,
    /// The targets of the links, as written.
    pub(super) links: Vec<String>,
    /// The anchors of the headings.
    pub(super) anchors: Vec<String>,
    /// True if the targets are relative to the root of the repository, and not to the file.
    pub(super) from_root: bool,
}

impl Page {
    /// Reads all files.
    pub(super) fn all(root: &Path) -> Result<Vec<Self>> {
        let mut paths: Vec<String> = OUTSIDE.map(str::to_owned).to_vec();
        below(root, SOURCE, &mut paths)?;
        let read = |path: &str| fs::read_to_string(root.join(path)).with_context(|| path.to_owned());
        let mut pages = Vec::new();
        for path in paths {
            pages.push(Self::from_markdown(path.clone(), &read(&path)?));
        }
        pages.push(Self::from_alerts(&read(ALERTS)?));
        Ok(pages)
    }

    /// Returns the links and anchors of a page in Markdown.
    pub(super) fn from_markdown(path: String, text: &str) -> Self {
        let mut links = Vec::new();
        for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    links.push(dest_url.into_string());
                }
                Event::Html(html) | Event::InlineHtml(html) => links.extend(of_html(&html)),
                _ => {}
            }
        }
        Self {
            path,
            links,
            anchors: anchors::of(text),
            from_root: false,
        }
    }

    /// Returns the pages that the alerts name.
    fn from_alerts(text: &str) -> Self {
        let links = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("runbook: "));
        Self {
            path: ALERTS.to_owned(),
            links: links.map(|link| link.trim_matches('"').to_owned()).collect(),
            anchors: Vec::new(),
            from_root: true,
        }
    }
}

/// Returns the links in the attributes of HTML.
pub(super) fn of_html(html: &str) -> Vec<String> {
    let values = |begin: &'static str| {
        let parts = html.split(begin).skip(1);
        parts.filter_map(|part| part.split('"').next())
    };
    ATTRIBUTES
        .into_iter()
        .flat_map(values)
        .map(str::to_owned)
        .collect()
}

fn below(root: &Path, folder: &str, found: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(root.join(folder)).with_context(|| folder.to_owned())?;
    for entry in entries {
        let entry = entry.with_context(|| folder.to_owned())?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().with_context(|| path.clone())?.is_dir() {
            below(root, &path, found)?;
        } else if Path::new(&path).extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_images_and_html_are_links_and_code_is_not() {
        let text =
            "[a](b.md#c) ![d](e.svg)\n\n<img src=\"f.svg\">\n\n`[g](h.md)`\n\n| x |\n|---|\n| [i](j.md) |\n";
        let page = Page::from_markdown("x.md".to_owned(), text);
        assert_eq!(page.links, ["b.md#c", "e.svg", "f.svg", "j.md"]);
    }

    #[test]
    fn the_runbooks_of_alerts_are_links_from_the_root() {
        let page =
            Page::from_alerts("  annotations:\n    runbook: docs/alerts.md#a\n    summary: \"runbook\"\n");
        assert_eq!(
            (page.links, page.from_root),
            (vec!["docs/alerts.md#a".to_owned()], true)
        );
    }
}

//! `cargo xtask book`: builds the pages of docs as a book with mdbook, and checks the links of all pages.

mod anchors;
mod built;
mod links;
pub(crate) mod mdbook;
mod page;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;

use self::links::Checked;
use self::page::Page;
use crate::workspace;

/// The folder of the book's pages.
const SOURCE: &str = "docs";
/// The folder of the built book.
const TARGET: &str = "target/book";

/// The options of `book`.
#[derive(Args)]
pub(crate) struct BookTask {
    /// Check the links of README.md, of all other pages and of the built book
    #[arg(long)]
    check: bool,
}

impl BookTask {
    /// Builds the book and checks the links.
    pub(crate) const CHECK: Self = Self { check: true };

    /// Builds the book.
    pub(crate) fn run(self) -> Result<ExitCode> {
        mdbook::install()?;
        mdbook::build(SOURCE, TARGET)?;
        println!("{TARGET}/index.html");
        if self.check {
            check(workspace::root())?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Checks the links of the pages, and those of the built book.
fn check(root: &Path) -> Result<()> {
    let pages = Page::all(root)?;
    let Checked { mut broken, counts } = links::check(root, &pages);
    let (links, broken_in_book) = built::check(&root.join(TARGET))?;
    broken.extend(broken_in_book);
    println!(
        "{} links of {} files and {links} links of the book: {} broken; {} links to other hosts are not checked",
        counts.internal,
        pages.len(),
        broken.len(),
        counts.external
    );
    if broken.is_empty() {
        return Ok(());
    }
    bail!("broken links:\n{}", broken.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_links_of_all_pages_lead_to_a_file_and_an_anchor() {
        let root = workspace::root();
        let pages = Page::all(root).unwrap();
        let checked = links::check(root, &pages);
        assert!(checked.counts.internal > 100, "{}", checked.counts.internal);
        assert_eq!(checked.broken, Vec::<String>::new());
    }
}

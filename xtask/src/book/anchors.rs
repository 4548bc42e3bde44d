//! The anchors of headings, as GitHub and mdbook make them from the text of a heading.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Returns the anchors of the headings of a page.
pub(super) fn of(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some(heading) = heading.take() {
                    let anchor = unique(&anchor(&heading), &found);
                    found.push(anchor);
                }
            }
            _ => {}
        }
    }
    found
}

/// Returns the text in lower case, without punctuation, and with `-` in place of spaces.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter_map(|char| match char {
        ' ' => Some('-'),
        '-' | '_' => Some(char),
        char if char.is_alphanumeric() => Some(char.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

/// Adds a number to an anchor that the page has already.
fn unique(anchor: &str, found: &[String]) -> String {
    let is_new = |candidate: &String| !found.contains(candidate);
    let numbered = (1..).map(|number| format!("{anchor}-{number}"));
    let mut candidates = std::iter::once(anchor.to_owned()).chain(numbered);
    candidates.find(is_new).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_the_heading_without_punctuation() {
        let text = "# A `code`, and more!\n\ntext\n\n## pin-outlives-mm\n\n## Twice\n\n## Twice\n";
        assert_eq!(
            of(text),
            ["a-code-and-more", "pin-outlives-mm", "twice", "twice-1"]
        );
    }
}

//! The configuration that packages install: every key with its value, commented out. It changes nothing, and shows what can
//! be changed.

use std::fmt::Write as _;

use super::defaults;
use super::key_list::KEYS;
use super::setting::Entry;

/// The tables, each with an example of the keys that have no value without a file.
const TABLES: [(&str, Option<&str>); 4] = [
    ("styles", Some("accent = \"cyan\"")),
    ("columns", None),
    ("sort", None),
    ("keys", Some("\"Ctrl-D\" = \"page down\"")),
];

/// Returns the file. A line that begins with `#` and no blank is a setting that is commented out.
#[must_use]
pub fn commented_out() -> String {
    let mut text = "# The configuration of `pintrace top` and `pintrace replay` for all users.\n\
                    # Each value is the value without this file. `pintrace config show` prints the values in force.\n"
        .to_owned();
    let entries = defaults::entries();
    for key in KEYS.iter().filter(|key| !key.name.contains('.')) {
        let _ = writeln!(text, "\n# {}: {}", plain(key.help), plain(key.values));
        write_settings("", Some(key.name), &entries, &mut text);
    }
    for (table, example) in TABLES {
        let prefix = format!("{table}.");
        for key in KEYS.iter().filter(|key| key.name.starts_with(&prefix)) {
            let _ = writeln!(text, "\n# {}: {}", plain(key.help), plain(key.values));
        }
        let _ = writeln!(text, "#[{table}]");
        write_settings(table, None, &entries, &mut text);
        if let Some(example) = example {
            let _ = writeln!(text, "#{example}");
        }
    }
    text
}

fn write_settings(table: &str, name: Option<&str>, entries: &[Entry], text: &mut String) {
    for Entry { setting, .. } in entries {
        let (of, key) = setting.path();
        if of == table && name.is_none_or(|name| name == key) {
            let _ = writeln!(text, "#{key} = {}", setting.toml());
        }
    }
}

/// Returns a text of the list of keys, which is Markdown, without marks and links.
fn plain(markdown: &str) -> String {
    markdown.replace('`', "").replace("[query](queries.md)", "query")
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn the_file_changes_nothing() {
        let text = commented_out();
        assert_eq!(parse::parse(&text).unwrap_or_default().len(), 0);
        assert!(
            text.lines().all(|line| line.is_empty() || line.starts_with('#')),
            "{text}"
        );
    }

    #[test]
    fn without_the_signs_the_file_has_the_values_of_pintrace_and_two_examples() {
        let lines = commented_out();
        let lines = lines.lines().map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => setting,
            _ => "",
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        let Ok(settings) = parse::parse(&text) else {
            panic!("{text}");
        };
        let settings: Vec<_> = settings.into_iter().map(|(setting, _)| setting).collect();
        let defaults = defaults::entries();
        assert_eq!(settings.len(), defaults.len() + 2, "{text}");
        for Entry { setting, .. } in defaults {
            assert!(settings.contains(&setting), "{setting:?}: {text}");
        }
    }
}

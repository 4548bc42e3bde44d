//! The settings in force as a file of the configuration, with a comment that says where each value comes from.

use std::fmt::Write as _;

use super::Configuration;
use super::setting::{Colours, Entry, Setting};
use super::values::quoted;

impl Configuration {
    /// Returns a text that is a file of the configuration with the same settings.
    #[must_use]
    pub fn show(&self) -> String {
        let mut text = "# The configuration of `pintrace top`, with the origin of each value.\n".to_owned();
        self.show_table("", &mut text);
        for (table, rest) in [
            ("styles", "# The other styles have the colours of the palette."),
            ("columns", ""),
            ("sort", ""),
            ("keys", "# The other keys are those of `pintrace config keys`."),
        ] {
            let _ = write!(text, "\n[{table}]\n");
            self.show_table(table, &mut text);
            if !rest.is_empty() {
                let _ = writeln!(text, "{rest}");
            }
        }
        text
    }

    fn show_table(&self, table: &str, text: &mut String) {
        for Entry { setting, origin } in &self.entries {
            let (of, key) = setting.path();
            if of != table {
                continue;
            }
            let is_bare = key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            let key = if is_bare { key } else { quoted(&key) };
            let depth = match setting {
                Setting::Colours(Colours::Auto) => format!("; {} here", self.depth().as_str()),
                _ => String::new(),
            };
            let _ = writeln!(text, "{key} = {} # {origin}{depth}", setting.toml());
        }
    }
}

//! Parses a file of the configuration. Each mistake has its place, and the message says what is possible.

use pintrace_tui::look::{Colour, StyleName};
use pintrace_tui::{KeyBinding, KeyMistake, View, catalogue};
use toml::de::DeTable;

use super::key_list::top_names;
use super::mistake::Mistake;
use super::nearest::{Unknown, find, shortened};
use super::setting::Setting;
use super::toml_value::{Name, Value, flag, named, scalar, string, wrong_type};
use super::values;
use crate::cmd::trace_args::duration;

/// Returns the settings of a text, each with the byte at which its key begins.
pub(super) fn parse(text: &str) -> Result<Vec<(Setting, usize)>, Mistake> {
    let file = DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        Mistake::new(offset, error.message())
    })?;
    let mut settings = Settings::default();
    for (name, value) in file.get_ref() {
        settings.top(name, value)?;
    }
    settings.check_filter()?;
    settings.found.sort_by_key(|(_, offset)| *offset);
    Ok(settings.found)
}

#[derive(Default)]
struct Settings {
    found: Vec<(Setting, usize)>,
    /// The byte at which the filter begins.
    filter: Option<usize>,
}

impl Settings {
    fn top(&mut self, name: Name<'_, '_>, value: Value<'_, '_>) -> Result<(), Mistake> {
        let at = value.span().start;
        let setting = match &**name.get_ref() {
            "interval" => {
                Setting::Interval(duration(&scalar("interval", value)?).map_err(|why| Mistake::new(at, why))?)
            }
            "view" => Setting::View(named(value, values::view(string("view", value)?))?),
            "filter" => {
                self.filter = Some(at);
                Setting::Filter(string("filter", value)?.to_owned())
            }
            "ended" => Setting::Ended(flag("ended", value)?),
            "mouse" => Setting::Mouse(flag("mouse", value)?),
            "colours" => Setting::Colours(named(value, values::colours(&scalar("colours", value)?))?),
            "palette" => Setting::Palette(named(value, values::palette(string("palette", value)?))?),
            "styles" => return self.table("styles", value, style),
            "columns" => return self.table("columns", value, columns),
            "sort" => return self.table("sort", value, sort),
            "keys" => return self.table("keys", value, key),
            other => {
                let unknown = Unknown::new("key of the configuration", other, top_names());
                return Err(Mistake::new(name.span().start, unknown));
            }
        };
        self.found.push((setting, name.span().start));
        Ok(())
    }

    fn table(
        &mut self,
        name: &str,
        value: Value<'_, '_>,
        entry: fn(Name<'_, '_>, Value<'_, '_>) -> Result<Setting, Mistake>,
    ) -> Result<(), Mistake> {
        let Some(table) = value.get_ref().as_table() else {
            return Err(wrong_type(name, value, &format!("a table, as after [{name}]")));
        };
        for (name, value) in table {
            let setting = entry(name, value)?;
            let mut others = self.found.iter();
            // A key of the keyboard may have two names.
            if others.any(|(other, _)| other.path() == setting.path()) {
                let message = format!("`{}` is given twice", shortened(name.get_ref()));
                return Err(Mistake::new(name.span().start, message));
            }
            self.found.push((setting, name.span().start));
        }
        Ok(())
    }

    /// The filter has to suit the rows of one view at least.
    fn check_filter(&self) -> Result<(), Mistake> {
        let mut view = View::default();
        let mut text = "";
        for (setting, _) in &self.found {
            match setting {
                Setting::View(first) => view = *first,
                Setting::Filter(filter) => text = filter,
                _ => {}
            }
        }
        match catalogue::query_mistake(text, view) {
            Some(mistake) => {
                let message = format!("in the query: {mistake}");
                Err(Mistake::new(self.filter.unwrap_or(0), message))
            }
            None => Ok(()),
        }
    }
}

fn style(name: Name<'_, '_>, value: Value<'_, '_>) -> Result<Setting, Mistake> {
    let style = find("style", name.get_ref(), StyleName::ALL, StyleName::as_str);
    let style = style.map_err(|unknown| Mistake::new(name.span().start, unknown))?;
    let text = string(style.as_str(), value)?;
    let colour = text.parse::<Colour>();
    let colour = colour.map_err(|_| {
        Unknown::new(
            "colour",
            text,
            ["#rrggbb"].into_iter().chain(Colour::names()).collect(),
        )
    });
    Ok(Setting::Style(style, named(value, colour)?))
}

/// Returns a view that has rows.
fn table_view(name: Name<'_, '_>) -> Result<View, Mistake> {
    let tables = View::ALL
        .into_iter()
        .filter(|view| catalogue::default_sort(*view).is_some());
    let view = find("view with columns", name.get_ref(), tables, View::id);
    view.map_err(|unknown| Mistake::new(name.span().start, unknown))
}

fn columns(name: Name<'_, '_>, value: Value<'_, '_>) -> Result<Setting, Mistake> {
    let view = table_view(name)?;
    let Some(list) = value.get_ref().as_array() else {
        return Err(wrong_type(view.id(), value, "a list of columns"));
    };
    let all: Vec<&'static str> = catalogue::columns(view).iter().map(|column| column.id).collect();
    let mut shown = Vec::new();
    for entry in list {
        let column = find(
            "column of the view",
            string("columns", entry)?,
            all.iter().copied(),
            |id| id,
        );
        let column = named(entry, column)?;
        if !shown.contains(&column) {
            shown.push(column);
        }
    }
    if shown.is_empty() {
        return Err(Mistake::new(
            value.span().start,
            "the list is empty: a view shows one column at least",
        ));
    }
    Ok(Setting::Columns(view, shown))
}

fn sort(name: Name<'_, '_>, value: Value<'_, '_>) -> Result<Setting, Mistake> {
    let view = table_view(name)?;
    let sort = values::sort(string(view.id(), value)?, view);
    Ok(Setting::Sort(view, named(value, sort)?))
}

fn key(name: Name<'_, '_>, value: Value<'_, '_>) -> Result<Setting, Mistake> {
    let command = string(&shortened(name.get_ref()), value)?;
    let binding = KeyBinding::parse(name.get_ref(), command).map_err(|mistake| match mistake {
        KeyMistake::Key => Mistake::new(
            name.span().start,
            format!("`{}`: {mistake}", shortened(name.get_ref())),
        ),
        KeyMistake::Command => {
            let names = catalogue::commands(&[]).into_iter().map(|entry| entry.command);
            let unknown = Unknown::new("command", command, names.collect())
                .without_list("`pintrace config keys` lists them");
            Mistake::new(value.span().start, unknown)
        }
        KeyMistake::NoArgument(..) => Mistake::new(value.span().start, mistake.to_string()),
    })?;
    Ok(Setting::Key(binding))
}

//! Rows as JSON Lines: one object for each moment.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use pintrace_model::field::Field;

use super::super::SCHEMA;
use super::Rows;

/// One moment.
#[derive(Serialize)]
struct Moment<R: Serialize> {
    schema: u32,
    /// Time of the snapshot by the monotonic clock of the stream.
    time_ns: u64,
    view: &'static str,
    rows: Vec<R>,
}

struct Row<'a, T: 'static> {
    rows: &'a Rows<'a, T>,
    row: &'a T,
}

impl<T> Serialize for Row<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields: &[&Field<T>] = self.rows.fields;
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (id, cell) in self.rows.cells(self.row) {
            map.serialize_entry(id, &cell)?;
        }
        map.end()
    }
}

impl<T> Rows<'_, T> {
    /// Returns one line of JSON, with a line end.
    pub fn json(&self) -> serde_json::Result<String> {
        let rows = self.rows.iter().map(|row| Row { rows: self, row });
        let moment = Moment {
            schema: SCHEMA,
            time_ns: self.time.0,
            view: self.view.as_str(),
            rows: rows.collect(),
        };
        serde_json::to_string(&moment).map(|line| line + "\n")
    }
}

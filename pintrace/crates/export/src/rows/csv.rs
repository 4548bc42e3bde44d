//! Rows as CSV (RFC 4180, lines end in a line feed).

use std::io;

use csv::Writer;

use super::Rows;
use super::cell::seconds;

/// The first column: the time of the snapshot.
const TIME: &str = "time";

impl<T> Rows<'_, T> {
    /// Returns one line of CSV for each row; with `heading`, the line of the column names first.
    pub fn csv(&self, heading: bool) -> io::Result<String> {
        let mut writer = Writer::from_writer(Vec::new());
        if heading {
            let ids = self.fields.iter().map(|field| field.id);
            writer.write_record([TIME].into_iter().chain(ids))?;
        }
        let time = seconds(self.time.0);
        for row in self.rows {
            let cells = self.cells(row).map(|(_, cell)| cell.text());
            writer.write_record([time.clone()].into_iter().chain(cells))?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| io::Error::other(error.to_string()))?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }
}

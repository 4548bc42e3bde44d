//! The width of tables on standard output.

/// The largest width, in which no column is cut. A larger one only costs memory.
pub(super) const MOST: usize = 10_000;

/// Returns the width in columns: `COLUMNS` if it is set, or that of the terminal, or else `otherwise`.
pub(super) fn output_width(otherwise: usize) -> usize {
    let terminal = rustix::termios::tcgetwinsize(std::io::stdout());
    let terminal = terminal.map_or(0, |size| usize::from(size.ws_col));
    width(std::env::var("COLUMNS").ok().as_deref(), terminal, otherwise)
}

/// Chooses the width. A terminal of no columns is none.
fn width(columns: Option<&str>, terminal: usize, otherwise: usize) -> usize {
    let columns = columns.and_then(|columns| columns.trim().parse::<usize>().ok());
    let known = columns.filter(|columns| *columns > 0);
    match (known, terminal) {
        (Some(columns), _) => columns.min(MOST),
        (None, 0) => otherwise,
        (None, terminal) => terminal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_before_the_terminal_and_the_terminal_before_a_fixed_width() {
        assert_eq!(width(Some("200"), 80, 100), 200);
        assert_eq!(width(None, 80, 100), 80);
        assert_eq!(width(None, 0, 100), 100);
        assert_eq!(width(Some("99999999999"), 0, 100), MOST);
        for none in ["", "0", "-3", "wide"] {
            assert_eq!(width(Some(none), 0, 100), 100, "{none}");
        }
    }
}

//! Reserving hugetlb pages for the time of a run.

use std::fs;

use crate::failure::{Explain, Failure, Result};

const SETTING: &str = "/proc/sys/vm/nr_hugepages";
const REMEDY: &str = "run --reserve as root, and with enough free memory";

/// Pages added to `nr_hugepages`; taken away again at the end (not by `--release exit|kill`, and not when
/// pinload is killed: the kernel keeps them).
#[derive(Debug)]
pub(super) struct Reservation {
    pages: usize,
}

impl Reservation {
    /// Adds `pages` and makes sure that the kernel found them.
    pub(super) fn of(pages: usize) -> Result<Self> {
        let before = current()?;
        fs::write(SETTING, (before + pages).to_string())
            .unavailable(&format!("cannot write {SETTING}"), REMEDY)?;
        let after = current()?;
        let reservation = Self {
            pages: after.saturating_sub(before),
        };
        if after < before + pages {
            return Err(Failure::unavailable(
                format!(
                    "the kernel reserved {after} huge pages of {} asked for",
                    before + pages
                ),
                REMEDY,
            ));
        }
        Ok(reservation)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Ok(now) = current() {
            // Pages that are still in use stay as surplus until they are freed.
            let _ = fs::write(SETTING, now.saturating_sub(self.pages).to_string());
        }
    }
}

fn current() -> Result<usize> {
    let text = fs::read_to_string(SETTING).unavailable(&format!("cannot read {SETTING}"), REMEDY)?;
    text.trim().parse().map_err(|_| {
        Failure::failed(
            format!("{SETTING} holds {text:?}, no number"),
            "report this as a bug",
        )
    })
}

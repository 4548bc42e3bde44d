//! Shows a download: a progress bar on a terminal, else one line.

use std::io::{BufRead, BufReader, IsTerminal, Read};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

const SCALE: u64 = 1000;

/// Reads apt's status lines (`dlstatus:1:42.0:...`) to the end and draws a progress bar named `what`.
pub(crate) fn follow(status: impl Read, what: &str, megabytes: u64) -> Result<()> {
    if !std::io::stderr().is_terminal() {
        eprintln!("xtask: fetching {what} ({megabytes} MB)");
        return drain(status);
    }
    let bar = ProgressBar::new(SCALE);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent}% {elapsed}")?;
    bar.set_style(style);
    bar.set_message(format!("fetching {what} ({megabytes} MB)"));
    for line in BufReader::new(status).lines() {
        if let Some(percent) = percentage(&line?) {
            bar.set_position(percent);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn drain(mut status: impl Read) -> Result<()> {
    std::io::copy(&mut status, &mut std::io::sink())?;
    Ok(())
}

/// Returns the completed share, in tenths of a percent.
fn percentage(line: &str) -> Option<u64> {
    let number = line.strip_prefix("dlstatus:")?.split(':').nth(1)?;
    let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
    let tenth: u64 = rest.get(..1)?.parse().ok()?;
    Some((whole.parse::<u64>().ok()? * 10 + tenth).min(SCALE))
}

#[cfg(test)]
mod tests {
    use super::percentage;

    #[test]
    fn status_lines_become_tenths_of_a_percent() {
        assert_eq!(percentage("dlstatus:1:42.7518:Retrieving file 1 of 1"), Some(427));
        assert_eq!(percentage("dlstatus:2:100:done"), Some(1000));
        assert_eq!(percentage("pmstatus:dpkg:1:x"), None);
        assert_eq!(percentage("dlstatus:1:many:"), None);
    }
}

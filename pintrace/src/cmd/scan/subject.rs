//! What `scan --pfn`, `--address` and `--fd` are to explain.

use std::ops::Range;

use super::Args;

/// The page frame numbers of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frames {
    /// One frame.
    One(u64),
    /// Adjoining frames.
    Range(Range<u64>),
}

/// A page, a range of pages, or a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The page with a page frame number.
    Frame(u64),
    /// The pages with these page frame numbers.
    Frames(Range<u64>),
    /// The page at an address of a process.
    Address {
        /// Pid of the process.
        pid: u32,
        /// User address.
        address: u64,
    },
    /// A descriptor of a process.
    Descriptor {
        /// Pid of the process.
        pid: u32,
        /// Number of the descriptor.
        fd: u32,
    },
}

impl Subject {
    /// Returns the subject of a command line; `None` for a scan of all memory.
    pub(super) fn of(args: &Args) -> Option<Self> {
        let frame = args.pfn.clone().map(|frames| match frames {
            Frames::One(pfn) => Self::Frame(pfn),
            Frames::Range(range) => Self::Frames(range),
        });
        let address = args.address.map(|(pid, address)| Self::Address { pid, address });
        let descriptor = args.fd.map(|(pid, fd)| Self::Descriptor { pid, fd });
        frame.or(address).or(descriptor)
    }
}

/// Parses a number: hexadecimal with `0x`, else decimal.
pub(super) fn number(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|_| format!("`{text}` is no number; write decimal digits, or hexadecimal digits after 0x"))
}

/// Parses `N`, `FIRST-LAST`, or the form of the kernel's log: `[1a3000, 1a3200)`, hexadecimal and without the end.
pub(super) fn frames(text: &str) -> Result<Frames, String> {
    let in_log = text.trim().strip_prefix('[');
    let range = if let Some(in_log) = in_log {
        let digits = |text: &str| u64::from_str_radix(text.trim(), 16).ok();
        let parts = in_log.strip_suffix(')').and_then(|parts| parts.split_once(','));
        let range = parts.and_then(|(first, end)| Some(digits(first)?..digits(end)?));
        range.ok_or_else(|| format!("`{text}` is no range of the kernel's log, such as [1a3000, 1a3200)"))?
    } else if let Some((first, last)) = ends(text) {
        number(first)?..number(last)?.saturating_add(1)
    } else {
        return number(text).map(Frames::One);
    };
    if range.is_empty() {
        return Err(format!(
            "the range `{text}` has no frame: its end comes before its beginning"
        ));
    }
    Ok(Frames::Range(range))
}

/// Returns the two ends of `FIRST-LAST`.
fn ends(text: &str) -> Option<(&str, &str)> {
    let (first, last) = text.split_once('-')?;
    (!first.is_empty() && !last.is_empty()).then_some((first, last))
}

/// Parses `PID:ADDR`.
pub(super) fn address(text: &str) -> Result<(u32, u64), String> {
    let (pid, address) = pair(text, "PID:ADDR, such as 1234:0x7f00deadb000")?;
    Ok((pid, number(address)?))
}

/// Parses `PID:FD`.
pub(super) fn descriptor(text: &str) -> Result<(u32, u32), String> {
    let (pid, fd) = pair(text, "PID:FD, such as 1234:5")?;
    let fd = fd
        .parse()
        .map_err(|_| format!("`{fd}` is no descriptor; `ls /proc/{pid}/fd` lists them"))?;
    Ok((pid, fd))
}

fn pair<'t>(text: &'t str, form: &str) -> Result<(u32, &'t str), String> {
    let (pid, rest) = text
        .split_once(':')
        .ok_or_else(|| format!("the form is {form}"))?;
    let pid = pid.parse().ok().filter(|pid| *pid > 0);
    Ok((
        pid.ok_or_else(|| format!("the form is {form}, with a pid above 0"))?,
        rest,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!((number("17"), number("0x1f")), (Ok(17), Ok(31)));
        for text in ["", "0x", "1f", "-1", "0x1ffffffffffffffff"] {
            assert!(number(text).unwrap_err().contains("0x"), "{text}");
        }
    }

    #[test]
    fn ranges_have_both_ends_or_the_form_of_the_log() {
        assert_eq!(frames("0x1f"), Ok(Frames::One(31)));
        assert_eq!(frames("0x10-0x1f"), Ok(Frames::Range(16..32)));
        assert_eq!(frames("5-5"), Ok(Frames::Range(5..6)));
        // From "alloc_contig_range: [1a3000, 1a3200) PFNs busy" (mm/page_alloc.c).
        assert_eq!(
            frames("[1a3000, 1a3200)"),
            Ok(Frames::Range(0x1a_3000..0x1a_3200))
        );
        assert!(frames("9-3").unwrap_err().contains("no frame"));
        assert!(frames("[3, 3)").unwrap_err().contains("no frame"));
        assert!(frames("[3, 4]").unwrap_err().contains("[1a3000, 1a3200)"));
        assert!(frames("1-x").unwrap_err().contains("`x` is no number"));
        assert!(frames("-1").unwrap_err().contains("`-1` is no number"));
    }

    #[test]
    fn pids_come_before_addresses_and_descriptors() {
        assert_eq!(address("7:0x1000"), Ok((7, 4096)));
        assert_eq!(descriptor("7:3"), Ok((7, 3)));
        for text in ["7", "x:3", "0:3", ":3"] {
            assert!(descriptor(text).unwrap_err().contains("PID:FD"), "{text}");
            assert!(address(text).unwrap_err().contains("PID:ADDR"), "{text}");
        }
        assert!(descriptor("7:x").unwrap_err().contains("/proc/7/fd"));
    }
}

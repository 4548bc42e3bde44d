//! What `scan --pfn`, `--address` and `--fd` are to explain.

use super::Args;

/// A page, or a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// The page with a page frame number.
    Frame(u64),
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
        let frame = args.pfn.map(Self::Frame);
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

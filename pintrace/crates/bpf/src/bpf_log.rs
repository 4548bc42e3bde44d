//! The programs' own debug messages (`--bpf-log`), printed to stderr as they come.

use aya::Ebpf;
use aya_log::EbpfLogger;

/// Prints every message; the programs filter by level.
struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        eprintln!("bpf: {}", record.args());
    }

    fn flush(&self) {}
}

/// The messages of one loaded object.
pub struct BpfLog {
    messages: EbpfLogger<Stderr>,
}

impl BpfLog {
    /// Opens them. `None`, with a word on stderr, if the object was built without messages.
    pub fn open(ebpf: &mut Ebpf) -> Option<Self> {
        match EbpfLogger::init_with_logger(ebpf, Stderr) {
            Ok(messages) => Some(Self { messages }),
            Err(error) => {
                eprintln!("pintrace: no messages from the eBPF programs: {error}");
                None
            }
        }
    }

    /// Prints what has come.
    pub fn print(&mut self) {
        self.messages.flush();
    }
}

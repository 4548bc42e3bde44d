//! Prints the debug messages of the programs (`--bpf-log`) to stderr.

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

/// The debug messages of one loaded object.
pub struct BpfLog {
    messages: EbpfLogger<Stderr>,
}

impl BpfLog {
    /// Opens the messages. Prints a warning and returns `None` if the object was built without messages.
    pub fn open(ebpf: &mut Ebpf) -> Option<Self> {
        match EbpfLogger::init_with_logger(ebpf, Stderr) {
            Ok(messages) => Some(Self { messages }),
            Err(error) => {
                eprintln!("pintrace: the eBPF programs send no debug messages: {error}");
                None
            }
        }
    }

    /// Prints all messages that have arrived.
    pub fn print(&mut self) {
        self.messages.flush();
    }
}

//! How a session is to go, and why it does not begin.

use pintrace_kernel::btf::BtfError;
use pintrace_probes::load::LoadOptions;
use pintrace_scan::scanner::ScanError;
use pintrace_source::ledger::LedgerError;
use pintrace_source::trace_source::StartError;
use pintrace_tracker::reconcile::ReconcileError;

/// Why no session began.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The kernel's types cannot be read.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// The kernel cannot be traced.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The kernel cannot be scanned.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Neither.
    #[error("{traced}; and it cannot be scanned: {scanned}")]
    Neither {
        /// Why it cannot be traced.
        traced: Box<StartError>,
        /// Why it cannot be scanned.
        scanned: Box<ScanError>,
    },
    /// The ledger stopped answering.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Memory could not be compared with the ledger.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
}

/// Which source to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Events, or the state where nothing can be traced.
    #[default]
    Auto,
    /// Events or nothing.
    Trace,
    /// The state alone.
    Scan,
}

/// How a session is to go.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// How the programs are loaded.
    pub load: LoadOptions,
    /// Whom to hear.
    pub mode: Mode,
    /// Share of one CPU that scans may take, 0 to 1.
    pub scan_budget: f64,
    /// The command run by `record -- COMMAND`, if any.
    pub command: Vec<String>,
}

/// Scans may take a twentieth of one CPU.
pub const SCAN_BUDGET: f64 = 0.05;

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            load: LoadOptions::default(),
            mode: Mode::default(),
            scan_budget: SCAN_BUDGET,
            command: Vec::new(),
        }
    }
}

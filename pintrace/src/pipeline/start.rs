//! The options of a session, and the errors of its start.

use pintrace_kernel::btf::BtfError;
use pintrace_probes::options::LoadOptions;
use pintrace_scan::scanner::ScanError;
use pintrace_source::ledger::LedgerError;
use pintrace_source::trace_source::StartError;
use pintrace_tracker::reconcile::ReconcileError;

/// Why a session cannot start or continue.
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
    /// The kernel can be neither traced nor scanned.
    #[error("{traced}; and memory cannot be scanned: {scanned}")]
    Neither {
        /// Why the kernel cannot be traced.
        traced: Box<StartError>,
        /// Why memory cannot be scanned.
        scanned: Box<ScanError>,
    },
    /// A map or program of the ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Memory could not be compared with the ledger.
    #[error(transparent)]
    Reconcile(#[from] ReconcileError),
}

/// The mode of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Trace, with scans for preexisting pins and reconciliations. Scan only where the kernel refuses tracing programs.
    #[default]
    Auto,
    /// Trace without scans.
    Trace,
    /// Scan only.
    Scan,
}

/// The options of a session.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The options of loading the programs.
    pub load: LoadOptions,
    /// The mode of the session.
    pub mode: Mode,
    /// The share of one CPU that scans may take, from 0 to 1.
    pub scan_budget: f64,
    /// The command run by `record -- COMMAND`, if any.
    pub command: Vec<String>,
}

/// The default share of one CPU that scans may take.
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

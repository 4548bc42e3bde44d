//! Kernel stacks and symbols.

use serde::{Deserialize, Serialize};

use crate::units::StackId;

/// A kernel stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackSeen {
    /// Id of the stack.
    pub stack: StackId,
    /// Return addresses, innermost first.
    pub frames: Vec<u64>,
}

/// The symbol of a kernel address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SymbolSeen {
    /// The address as it appears in a stack, or as the caller of an account.
    pub address: u64,
    /// Function that contains the address.
    pub symbol: String,
    /// Offset of the address in the function, in bytes.
    pub offset: u64,
    /// Module; empty for vmlinux.
    pub module: String,
}

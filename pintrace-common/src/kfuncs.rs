//! Functions that the kernel offers to programs (kernel/bpf/helpers.c), and that no present compiler and loader can call.
//! The programs call placeholders, which user space replaces by the functions' BTF ids.

/// A kernel function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kfunc {
    /// Name in BTF.
    pub name: &'static str,
    /// Stands in the programs for the BTF id.
    pub placeholder: u32,
}

/// Loads from kernel memory (6.2).
pub const RDONLY_CAST: Kfunc = Kfunc {
    name: "bpf_rdonly_cast",
    placeholder: 0x7a57_0001,
};
/// Keeps the thread on the CPU (6.12).
pub const PREEMPT_DISABLE: Kfunc = Kfunc {
    name: "bpf_preempt_disable",
    placeholder: 0x7a57_0002,
};
/// Ends what [`PREEMPT_DISABLE`] began.
pub const PREEMPT_ENABLE: Kfunc = Kfunc {
    name: "bpf_preempt_enable",
    placeholder: 0x7a57_0003,
};
/// Turns interrupts off on the CPU (6.14).
pub const LOCAL_IRQ_SAVE: Kfunc = Kfunc {
    name: "bpf_local_irq_save",
    placeholder: 0x7a57_0004,
};
/// Ends what [`LOCAL_IRQ_SAVE`] began.
pub const LOCAL_IRQ_RESTORE: Kfunc = Kfunc {
    name: "bpf_local_irq_restore",
    placeholder: 0x7a57_0005,
};

/// The functions that keep a thread on the CPU while a program works.
pub const PREEMPTION: [Kfunc; 4] = [PREEMPT_DISABLE, PREEMPT_ENABLE, LOCAL_IRQ_SAVE, LOCAL_IRQ_RESTORE];

//! Finds the reason for which the kernel refused an eBPF program.

/// Returns the reason in the verifier's log if the error has a log, else the innermost cause.
pub fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(log) = verifier_log(error) {
        return log;
    }
    let mut cause = error;
    loop {
        // The C library has no text for ENOTSUPP.
        if let Some(error) = cause.downcast_ref::<std::io::Error>()
            && error.raw_os_error() == Some(ENOTSUPP)
        {
            return "the trampoline cannot pass all arguments of the function (ENOTSUPP)".to_owned();
        }
        match cause.source() {
            Some(next) => cause = next,
            None => return cause.to_string(),
        }
    }
}

/// The error of `arch_prepare_bpf_trampoline` (arch/x86/net/bpf_jit_comp.c) for a function with more arguments than a
/// trampoline can pass. Only the kernel uses this number; errno.h of the C library does not have it.
const ENOTSUPP: i32 = 524;

/// Returns the reason in the verifier's log, or all of the log if PINTRACE_VERIFIER_LOG is set. `None` without a log.
fn verifier_log(error: &dyn std::error::Error) -> Option<String> {
    let text = error.to_string();
    let log = text.split_once("Verifier output:")?.1.trim();
    if std::env::var_os("PINTRACE_VERIFIER_LOG").is_some() {
        return Some(log.to_owned());
    }
    // 7.3 has the reason after `Verification failed: `, older kernels in the last line before the statistics.
    if let Some(reason) = log
        .lines()
        .find_map(|line| line.strip_prefix("Verification failed: "))
    {
        return Some(format!("the verifier says: {reason}"));
    }
    let statistics = ["processed ", "verification time", "stack depth", "subprog "];
    let reason = |line: &&str| {
        let line = line.trim();
        !line.is_empty() && !statistics.iter().any(|statistic| line.starts_with(statistic))
    };
    let last = log.lines().rev().find(reason)?.trim();
    Some(format!("the verifier says: {last}"))
}

//! What the kernel said when it refused an eBPF program.

/// The innermost cause says what the kernel said.
pub fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    if let Some(log) = verifier_log(error) {
        return log;
    }
    let mut cause = error;
    loop {
        // No C library has a text for it.
        if let Some(error) = cause.downcast_ref::<std::io::Error>()
            && error.raw_os_error() == Some(ENOTSUPP)
        {
            return "its trampoline cannot pass so many arguments (ENOTSUPP)".to_owned();
        }
        match cause.source() {
            Some(next) => cause = next,
            None => return cause.to_string(),
        }
    }
}

/// What `arch_prepare_bpf_trampoline` (arch/x86/net/bpf_jit_comp.c) returns for a function with more
/// arguments than it can pass; the kernel's own number, not in the C library's errno.h.
const ENOTSUPP: i32 = 524;

/// The verifier's last words, if it spoke.
fn verifier_log(error: &dyn std::error::Error) -> Option<String> {
    let text = error.to_string();
    let log = text.split_once("Verifier output:")?.1.trim();
    if std::env::var_os("PINTRACE_VERIFIER_LOG").is_some() {
        return Some(log.to_owned());
    }
    // 7.3 says it in a sentence, older kernels in the last line before the statistics.
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

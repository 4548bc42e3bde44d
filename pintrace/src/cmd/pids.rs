//! The processes that `--pid` gives.

use std::path::Path;

use anyhow::bail;

/// Parses a pid.
pub(super) fn pid(text: &str) -> Result<u32, String> {
    let pid = text.parse().ok().filter(|pid| *pid > 0);
    pid.ok_or_else(|| "expected a pid such as 1234; `ps` lists the processes".to_owned())
}

/// Returns an error if one of the processes does not exist. A process that exists and pins nothing is no error.
pub(super) fn check(proc: &Path, pids: &[u32]) -> anyhow::Result<()> {
    match pids.iter().find(|pid| !proc.join(pid.to_string()).exists()) {
        Some(pid) => bail!("no process has the pid {pid}: `ps` lists the processes"),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_is_a_number_above_0() {
        assert_eq!(pid("17"), Ok(17));
        for text in ["", "0", "-1", "init", "4294967296"] {
            assert!(pid(text).unwrap_err().contains("expected a pid"), "{text}");
        }
    }

    #[test]
    fn only_a_process_that_does_not_exist_is_an_error() {
        let proc = tempfile::tempdir().unwrap();
        std::fs::create_dir(proc.path().join("7")).unwrap();
        assert!(check(proc.path(), &[]).is_ok());
        assert!(check(proc.path(), &[7]).is_ok());
        let error = check(proc.path(), &[7, 8]).unwrap_err().to_string();
        assert_eq!(error, "no process has the pid 8: `ps` lists the processes");
    }
}

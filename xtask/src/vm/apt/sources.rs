//! The configuration and the sources of the separate apt state: Debian's suites on the mirror of this system.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::super::architecture::Architecture;
use super::AptScope;
use crate::process;

/// The variable with the path of a sources.list that replaces the system's sources.
pub(in crate::vm) const SOURCES_VARIABLE: &str = "PINTRACE_APT_SOURCES";

/// The suites that together have every series.
const KERNEL_SUITES: [&str; 6] = [
    "bookworm",
    "bookworm-backports",
    "trixie",
    "trixie-backports",
    "forky",
    "sid",
];
const KERNEL_SECURITY_SUITES: [&str; 3] = ["bullseye-security", "bookworm-security", "trixie-security"];
/// The suite names that identify Debian's archive among the system's sources.
const DEBIAN_SUITES: [&str; 9] = [
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "sid",
    "oldstable",
    "stable",
    "testing",
    "unstable",
];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Returns the text of apt.conf.
pub(super) fn configuration(folder: &Path, scope: AptScope) -> Result<String> {
    let here = folder.display();
    let text = format!(
        "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n\
         #clear Acquire::IndexTargets::deb::DEP-11;\n#clear Acquire::IndexTargets::deb::DEP-11-icons-small;\n\
         #clear Acquire::IndexTargets::deb::DEP-11-icons;\n#clear Acquire::IndexTargets::deb::CNF;\n\
         #clear APT::Default-Release;\n\
         Dir::State::Lists \"{here}/lists\";\nDir::State::status \"{here}/status\";\n\
         Dir::State::extended_states \"{here}/extended_states\";\n\
         Dir::Cache \"{here}\";\nDir::Cache::archives \"{here}/archives\";\n\
         Dir::Cache::pkgcache \"{here}/pkgcache.bin\";\nDir::Cache::srcpkgcache \"\";\n\
         Acquire::Languages \"none\";\nAcquire::Retries \"2\";\nAcquire::http::Timeout \"20\";\n\
         Acquire::ForceHash \"SHA256\";\nAPT::Sandbox::User \"root\";\nAPT::Update::Error-Mode \"any\";\n"
    );
    let text = match scope {
        AptScope::ArmKernels => {
            let name = Architecture::Arm.debian();
            format!("{text}APT::Architecture \"{name}\";\nAPT::Architectures {{ \"{name}\"; }};\n")
        }
        AptScope::Kernels | AptScope::Packages => text,
    };
    let list = match std::env::var_os(SOURCES_VARIABLE) {
        Some(list) => PathBuf::from(list),
        None if scope == AptScope::Packages => return Ok(text),
        None => {
            let list = folder.join("sources.list");
            fs::write(&list, kernel_sources(&system_sources()?)?).context("cannot write the apt state")?;
            list
        }
    };
    let sources = format!(
        "Dir::Etc::SourceList \"{}\";\nDir::Etc::SourceParts \"-\";\n",
        list.display()
    );
    Ok(text + &sources)
}

/// Returns the system's sources, one per line: address, suite, component.
fn system_sources() -> Result<String> {
    let mut command = process::program("apt-get");
    command.args([
        "indextargets",
        "--no-release-info",
        "--format",
        "$(REPO_URI) $(RELEASE) $(COMPONENT)",
    ]);
    process::stdout(command.arg("Identifier: Packages"))
}

/// Returns the sources of all suites with kernels, on the mirror of the system.
fn kernel_sources(system: &str) -> Result<String> {
    let sources: Vec<(&str, &str)> = system
        .lines()
        .filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [address, suite, "main"] => Some((address.trim_end_matches('/'), suite)),
            _ => None,
        })
        .collect();
    let archive = sources
        .iter()
        .find(|(_, suite)| DEBIAN_SUITES.contains(suite))
        .map(|(address, _)| *address);
    let archive = archive.with_context(|| {
        format!(
            "no Debian archive among the system's apt sources: add one, or name a sources.list in {SOURCES_VARIABLE}"
        )
    })?;
    let of_suite = |(_, suite): &&(&str, &str)| {
        suite
            .strip_suffix("-security")
            .is_some_and(|s| DEBIAN_SUITES.contains(&s))
    };
    let security = sources
        .iter()
        .find(of_suite)
        .map_or_else(|| format!("{archive}-security"), |(a, _)| (*a).to_owned());
    let signed = if Path::new(KEYRING).is_file() {
        format!("[signed-by={KEYRING}] ")
    } else {
        String::new()
    };
    let ordinary = KERNEL_SUITES.iter().map(|suite| (archive, suite));
    let all = ordinary.chain(
        KERNEL_SECURITY_SUITES
            .iter()
            .map(|suite| (security.as_str(), suite)),
    );
    let lines: Vec<String> = all
        .map(|(address, suite)| format!("deb {signed}{address} {suite} main\n"))
        .collect();
    Ok(lines.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_come_from_the_systems_own_mirror() {
        let system = "http://mirror.test/debian/ bookworm main\nhttp://other.test/x/ nodistro main\n\
                      http://mirror.test/sec/ bookworm-security main\n";
        let sources = kernel_sources(system).unwrap();
        assert!(
            sources.contains("http://mirror.test/debian trixie-backports main\n"),
            "{sources}"
        );
        assert!(
            sources.contains("http://mirror.test/sec trixie-security main\n"),
            "{sources}"
        );
        assert!(!sources.contains("other.test"), "{sources}");
    }

    #[test]
    fn a_system_without_debians_archive_is_an_error_with_a_remedy() {
        let error = kernel_sources("http://other.test/x/ nodistro main\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains(SOURCES_VARIABLE), "{error}");
    }
}

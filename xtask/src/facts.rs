//! `cargo xtask facts`: boots each kernel, lets pintrace print the facts on which the attach plan depends, and stores
//! the facts as fixtures for the tests.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::test::{KernelList, kernels};
use crate::vm::architecture::Architecture;
use crate::vm::guest::GuestExit;
use crate::vm::kernel_target::KernelTarget;
use crate::vm::series::{Flavour, KernelBuild};
use crate::vm::{self, GuestFile, GuestOptions, parallel};
use crate::{setup, workspace};

const SCRIPT: &str = "pintrace doctor --facts\n";

/// Modules with functions that have hooks.
const MODULES: [&str; 2] = ["ib_uverbs", "vfio_iommu_type1"];

/// The options of `facts`.
#[derive(Args)]
pub(crate) struct FactsTask {
    /// Kernels, such as 6.12 or 7.3-rt; by default every series and 7.3-rt, since full flavours have the same
    /// facts as cloud flavours
    #[arg(long, value_name = "KERNEL,...|all", value_parser = kernels)]
    kernels: Option<KernelList>,
}

impl FactsTask {
    /// Captures the facts. A kernel that cannot be fetched or fails keeps its old fixture.
    pub(crate) fn run(self) -> Result<ExitCode> {
        setup::rust()?;
        setup::bpf_linker()?;
        let pintrace = GuestFile::new(
            workspace::build_for_guest("pintrace", Architecture::X86)?,
            "usr/local/bin/pintrace",
        );
        let mut code = ExitCode::SUCCESS;
        let usual = || {
            let mut all = KernelTarget::all();
            all.retain(|target| target.flavour != Flavour::Full);
            all
        };
        let kernels = self.kernels.map_or_else(usual, |kernels| kernels.0);
        for (kernel, result) in parallel::each(&kernels, |kernel| capture(kernel, &pintrace)) {
            match result {
                Ok(file) => println!("{kernel}: {}", file.display()),
                Err(error) => {
                    eprintln!("xtask: {kernel}: {error:#}");
                    code = ExitCode::FAILURE;
                }
            }
        }
        println!("`INSTA_UPDATE=always cargo test -p pintrace-probes` rewrites the plans for these facts");
        Ok(code)
    }
}

/// Captures the facts of one kernel and writes its fixture.
fn capture(kernel: KernelTarget, pintrace: &GuestFile) -> Result<PathBuf> {
    let mut options = GuestOptions::new(kernel.kernel);
    options.flavour = kernel.flavour;
    options.bare = true;
    options.add.push(pintrace.clone());
    let mut guest = options.prepare()?;
    // Superseded kernels have no modules.
    if guest.kernel.modules().is_some() {
        guest.modules.extend(MODULES.map(str::to_owned));
    }
    let mut printed = Vec::new();
    let outcome = guest.run(SCRIPT, &mut printed)?;
    let text = String::from_utf8_lossy(&printed);
    if !matches!(outcome, GuestExit::Exited(0)) {
        let code = vm::explain(&outcome);
        bail!("pintrace ended with exit code {code}: {}", text.trim());
    }
    let build = &guest.kernel.build;
    let text = checked(&text, build)?;
    let folder = workspace::root().join("pintrace/crates/probes/tests/kernels");
    fs::create_dir_all(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
    let file = folder.join(format!("{}.json", name(build)));
    fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

/// Checks that the output is JSON and belongs to the build.
fn checked(text: &str, build: &KernelBuild) -> Result<String> {
    let text = text.replace('\r', "");
    let json: Value =
        serde_json::from_str(&text).with_context(|| format!("pintrace printed no JSON: {text}"))?;
    let release = &json["kernel"]["release"];
    if *release != build.release.as_str() {
        bail!("the facts belong to {release}, not to {}", build.release);
    }
    Ok(text)
}

/// The name of the fixture: the series, and the flavour unless it is cloud.
fn name(build: &KernelBuild) -> String {
    match build.flavour {
        Flavour::Cloud => build.series.to_string(),
        flavour => format!("{}-{flavour}", build.series),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(release: &str) -> KernelBuild {
        KernelBuild::parse(release).unwrap()
    }

    #[test]
    fn a_fixture_is_named_by_series_and_non_default_flavour() {
        assert_eq!(name(&build("7.3.4+deb13-cloud-amd64")), "7.3");
        assert_eq!(name(&build("7.3.4+deb13-rt-amd64")), "7.3-rt");
        assert_eq!(name(&build("6.1.0-56-amd64")), "6.1-full");
    }

    #[test]
    fn facts_of_another_kernel_are_rejected() {
        let text = r#"{"kernel":{"release":"6.1.0-56-cloud-amd64"}}"#;
        assert!(checked(text, &build("6.1.0-56-cloud-amd64")).is_ok());
        assert!(checked(text, &build("6.1.0-57-cloud-amd64")).is_err());
        assert!(checked("no JSON", &build("6.1.0-56-cloud-amd64")).is_err());
    }
}

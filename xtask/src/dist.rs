//! `cargo xtask dist`: the files of a release, in target/dist/x86_64 or target/dist/aarch64: a tarball with a static program, its debug file,
//! packages for Debian and for RPM systems, a list of components, and SHA256SUMS.

mod build;
mod check;
mod chroot;
mod compare;
mod debug_file;
mod image;
mod own_paths;
mod packages;
mod release;
mod sbom;
mod stage;
mod sums;
mod tarball;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::vm::architecture::Architecture;
use debug_file::SplitProgram;
use release::Release;

/// The options of `dist`.
#[derive(Args)]
pub(crate) struct DistTask {
    /// The processor of the program
    #[arg(long, value_name = "ARCH", value_enum, default_value_t)]
    arch: Architecture,
    /// Build everything a second time, from nothing, and compare the files byte by byte
    #[arg(long)]
    verify: bool,
    /// Check the packages with the tools of their systems, and run the program in file systems without its build
    #[arg(long)]
    check: bool,
    /// A file system, as an archive, in which the check runs the program too, such as Alpine's minirootfs; may be repeated
    #[arg(long, value_name = "FILE", requires = "check")]
    root: Vec<PathBuf>,
}

impl DistTask {
    /// Makes the files.
    pub(crate) fn run(self) -> Result<ExitCode> {
        if let Some(absent) = self.root.iter().find(|root| !root.is_file()) {
            bail!("{} is no file", absent.display());
        }
        tools::install(self.arch)?;
        let release = Release::of_checkout(self.arch)?;
        let files = make(&release, &release.build_folder(), &release.folder())?;
        println!("{}", release.folder().display());
        for file in &files {
            let bytes = fs::metadata(file)?.len();
            println!("{:>12}  {}", sums::grouped(bytes), name(file));
        }
        let mut code = ExitCode::SUCCESS;
        if self.verify && !verify(&release, &files)? {
            code = ExitCode::FAILURE;
        }
        if self.check && !check::run(&release, &files, &self.root)? {
            code = ExitCode::FAILURE;
        }
        Ok(code)
    }
}

/// Makes the package for Debian and the tarball of this checkout, for the processor of this machine, and returns these
/// files and their checksums.
pub(crate) fn deb_and_tarball() -> Result<[PathBuf; 3]> {
    let architecture = Architecture::of_this_machine();
    tools::install(architecture)?;
    let release = Release::of_checkout(architecture)?;
    let output = release.folder();
    prepare(&release, &release.build_folder(), &output)?;
    let deb = step("deb", || packages::deb(&release, &output))?;
    let tarball = step("tarball", || tarball::program(&release, &output))?;
    let sums = sums::write(&[deb.clone(), tarball.clone()], &output)?;
    Ok([deb, tarball, sums])
}

/// Makes the files of a release in `output`, from a program that is built in the folder `build`.
fn make(release: &Release, build: &Path, output: &Path) -> Result<Vec<PathBuf>> {
    let split = prepare(release, build, output)?;
    let mut files = vec![
        step("tarball", || tarball::program(release, output))?,
        step("tarball of the debug file", || {
            tarball::debug(release, &split.debug, output)
        })?,
        step("deb", || packages::deb(release, output))?,
        step("rpm", || packages::rpm(release, output))?,
        step("list of components", || sbom::write(release, output))?,
    ];
    files.push(sums::write(&files, output)?);
    Ok(files)
}

/// Builds the program, empties `output`, and fills the folder from which the files are made.
fn prepare(release: &Release, build: &Path, output: &Path) -> Result<SplitProgram> {
    let program = step("program", || build::program(release, build))?;
    // The pages and completions come from a program that runs here.
    let own = release.for_this_machine();
    let runs_here = if own.architecture == release.architecture {
        program.clone()
    } else {
        step("program of this machine, which generates the man pages", || {
            build::program(&own, &own.build_folder())
        })?
    };
    for folder in [output, &stage::folder(), &stage::beside()] {
        empty(folder)?;
    }
    let split = step("debug file", || debug_file::split(&program))?;
    own_paths::check(&split.program)?;
    own_paths::check(&split.debug)?;
    stage::fill(
        release,
        if runs_here == program {
            &split.program
        } else {
            &runs_here
        },
    )?;
    Ok(split)
}

/// Makes all files again, and prints which of them differ.
fn verify(release: &Release, files: &[PathBuf]) -> Result<bool> {
    // The compiler derives the names of symbols from its flags, and these name the folder: it has to be the same one.
    empty(&release.build_folder())?;
    let again = make(release, &release.build_folder(), &release::folder("files-again"))?;
    compare::print(files, &again)
}

/// Says what is done, and how long it took.
fn step<T>(name: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
    eprintln!("xtask: {name}");
    let start = Instant::now();
    let done = action().with_context(|| format!("the {name} failed"))?;
    let seconds = start.elapsed().as_secs();
    if seconds > 0 {
        eprintln!("xtask: {name}: {seconds} s");
    }
    Ok(done)
}

/// Creates the folder, without the files of an earlier run.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

/// Copies a file, with its mode.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let Some(folder) = to.parent() else {
        bail!("{} has no folder", to.display());
    };
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

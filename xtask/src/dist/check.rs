//! `cargo xtask dist --check`: the packages through the tools of their systems, and the program in file systems without a
//! library of its build.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::chroot::{Chroot, Kind};
use super::release::Release;
use super::tools;
use crate::process;

/// The configuration files of both packages, in the order of the packages.
const CONFIGURATION: [&str; 2] = ["/etc/default/pintrace", "/etc/pintrace/config.toml"];
/// The files of both packages. The man pages of the commands come on top.
const COMMON: [&str; 15] = [
    "/etc/default/pintrace",
    "/etc/pintrace/config.toml",
    "/usr/bin/pintrace",
    "/usr/lib/systemd/system/pintrace.service",
    "/usr/lib/systemd/system/pintrace-record@.service",
    "/usr/share/bash-completion/completions/pintrace",
    "/usr/share/fish/vendor_completions.d/pintrace.fish",
    "/usr/share/pintrace/alerts.yml",
    "/usr/share/pintrace/dashboards/pintrace.json",
    "/usr/share/doc/pintrace/README.md",
    "/usr/share/doc/pintrace/docs/alerts.md",
    "/usr/share/doc/pintrace/docs/tasks/memlock.md",
    "/usr/share/doc/pintrace/docs/pictures/demo.pintrace",
    "/usr/share/man/man1/pintrace.1",
    "/usr/share/man/man1/pintrace-top.1",
];
/// The other files of the deb.
const DEB: [&str; 3] = [
    "/usr/share/zsh/vendor-completions/_pintrace",
    "/usr/share/doc/pintrace/copyright",
    "/usr/share/doc/pintrace/changelog.Debian",
];
/// The other files of the rpm.
const RPM: [&str; 3] = [
    "/usr/share/zsh/site-functions/_pintrace",
    "/usr/share/licenses/pintrace/LICENSE-MIT",
    "/usr/share/licenses/pintrace/LICENSE-APACHE",
];

/// Checks the files of a release, the program also in the file systems of the archives `roots`. Returns true if all
/// checks passed.
pub(super) fn run(release: &Release, files: &[PathBuf], roots: &[PathBuf]) -> Result<bool> {
    tools::install_checkers()?;
    let file = |end: &str| {
        let found = files.iter().find(|file| super::name(file).ends_with(end));
        found.with_context(|| format!("the release has no file {end}"))
    };
    let (deb, rpm) = (file(".deb")?, file(".rpm")?);
    let tarball = release.folder().join(format!("{}.tar.xz", release.name()));
    let own = release.for_this_machine().architecture == release.architecture;
    let mut checks: Vec<(String, Result<String>)> = vec![
        ("deb, content".into(), deb_content(deb)),
        ("deb, lintian".into(), lintian(deb)),
        ("rpm, content".into(), rpm_content(rpm)),
        ("tarball, names".into(), tarball_content(release, &tarball)),
    ];
    if own {
        let busybox = Chroot::new(Kind::Busybox);
        checks.push((
            "tarball in busybox".into(),
            try_in(&busybox, |root| root.try_tarball(&tarball)),
        ));
        for archive in roots {
            let root = Chroot::new(Kind::Archive(archive));
            checks.push((
                format!("tarball in {}", super::name(archive)),
                try_in(&root, |root| root.try_tarball(&tarball)),
            ));
        }
        checks.push(("container image".into(), super::image::check(&tarball)));
        let debian = Chroot::new(Kind::Debian);
        checks.push((
            "tarball in Debian".into(),
            try_in(&debian, |root| root.try_tarball(&tarball)),
        ));
        checks.push(("deb in Debian".into(), try_in(&debian, |root| root.try_deb(deb))));
    } else {
        println!(
            "skipped: chroots: this machine cannot run programs for {}",
            release.architecture
        );
    }
    let mut passed = true;
    for (name, result) in checks {
        match result {
            Ok(text) => println!("passed: {name}: {text}"),
            Err(error) => {
                passed = false;
                println!("FAILED: {name}: {error:#}");
            }
        }
    }
    Ok(passed)
}

fn try_in(chroot: &Result<Chroot>, check: impl FnOnce(&Chroot) -> Result<String>) -> Result<String> {
    match chroot {
        Ok(chroot) => check(chroot),
        Err(error) => bail!("{error:#}"),
    }
}

/// Fails if a package lacks one of the files. A deb compresses man pages.
fn require(listed: &BTreeSet<String>, more: &[&str]) -> Result<String> {
    let is_listed = |file: &str| listed.contains(file) || listed.contains(&format!("{file}.gz"));
    let missing: Vec<&str> = COMMON
        .iter()
        .chain(more)
        .copied()
        .filter(|file| !is_listed(file))
        .collect();
    if !missing.is_empty() {
        bail!("the package lacks {}", missing.join(", "));
    }
    Ok(format!("{} files", listed.len()))
}

fn deb_content(deb: &Path) -> Result<String> {
    let text = process::stdout(process::program("dpkg-deb").arg("--contents").arg(deb))?;
    let files = text.lines().filter(|line| !line.starts_with('d'));
    let names = files.filter_map(|line| line.split_whitespace().nth(5));
    let listed: BTreeSet<String> = names
        .map(|name| name.trim_start_matches('.').to_owned())
        .collect();
    let said = require(&listed, &DEB)?;
    let control = |file: &str| process::stdout(process::program("dpkg-deb").arg("-I").arg(deb).arg(file));
    let conffiles = control("conffiles")?;
    if !is_configuration(&conffiles) {
        bail!("the configuration files are {conffiles}");
    }
    for script in ["postinst", "prerm", "postrm"] {
        control(script)?;
    }
    let control = control("control")?;
    let depends = control.lines().find_map(|line| line.strip_prefix("Depends:"));
    if let Some(library) = depends.filter(|depends| depends.contains("lib")) {
        bail!("the package depends on{library}, and the program is static");
    }
    Ok(said)
}

/// Returns true if a list has exactly the configuration files.
fn is_configuration(list: &str) -> bool {
    let mut listed: Vec<&str> = list.split_whitespace().collect();
    listed.sort_unstable();
    listed == CONFIGURATION
}

/// Runs Debian's checker of packages. Its errors fail the check, and its warnings are shown.
fn lintian(deb: &Path) -> Result<String> {
    let mut command = process::program("lintian");
    // Root may run lintian in a throw-away system.
    command
        .args(["--allow-root", "--fail-on", "none", "--tag-display-limit", "0"])
        .arg(deb);
    let text = process::stdout(&mut command)?;
    let errors: Vec<&str> = text.lines().filter(|line| line.starts_with("E:")).collect();
    if !errors.is_empty() {
        bail!("{}", errors.join("\n"));
    }
    let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("W:")).collect();
    Ok(match warnings.as_slice() {
        [] => "no warning".to_owned(),
        warnings => format!("no error, {} warnings\n{}", warnings.len(), warnings.join("\n")),
    })
}

fn rpm_content(rpm: &Path) -> Result<String> {
    let query = |options: &str| process::stdout(process::program("rpm").arg(options).arg(rpm));
    let listed = query("-qlp")?.lines().map(str::to_owned).collect();
    let said = require(&listed, &RPM)?;
    let facts = query("-qip")?;
    for fact in ["Name        : pintrace", "License     : MIT OR Apache-2.0"] {
        if !facts.contains(fact) {
            bail!("`rpm -qip` prints no {fact:?}:\n{facts}");
        }
    }
    let configuration = query("-qcp")?;
    if !is_configuration(&configuration) {
        bail!("the configuration files are {configuration}");
    }
    let scripts = process::stdout(process::program("rpm").args(["-qp", "--scripts"]).arg(rpm))?;
    for script in ["postinstall", "preuninstall", "postuninstall"] {
        if !scripts.contains(script) {
            bail!("the package has no script {script}");
        }
    }
    let requires = process::stdout(process::program("rpm").args(["-qp", "--requires"]).arg(rpm))?;
    if let Some(library) = requires.lines().find(|line| line.contains(".so")) {
        bail!("the package requires {library}, and the program is static");
    }
    Ok(said)
}

fn tarball_content(release: &Release, tarball: &Path) -> Result<String> {
    let text = process::stdout(process::program("tar").arg("-tf").arg(tarball))?;
    let start = format!("{}/", release.name());
    if let Some(outside) = text.lines().find(|line| !line.starts_with(&start)) {
        bail!("{outside} lies outside of {start}");
    }
    Ok(format!("{} names", text.lines().count()))
}

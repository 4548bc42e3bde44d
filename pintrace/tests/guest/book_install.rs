//! The lines of docs/install.md that install, start and remove pintrace, typed as a reader types them, on Debian with
//! systemd as PID 1: `cargo xtask test --systemd`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pintrace_testing::documents::Document;
use pintrace_testing::documents::shell::{self, SHELL};

use super::robust_kit::{Before, path};
use super::systemd_unit::left_behind;

/// The page, and the folder of the packages that the page makes.
const PAGE: &str = "/usr/local/share/book/docs/install.md";
const PACKAGES: &str = "/usr/local/share/dist";
/// The place of the static binary, which is that of pintrace in all guests too.
const PROGRAM: &str = "/usr/local/bin/pintrace";
/// What the reader answers when apt asks whether to go on.
const ANSWER: (&str, &str) = ("/etc/apt/apt.conf.d/90answer", "APT::Get::Assume-Yes \"true\";\n");

/// A checkout in which the packages have been made.
struct Reader {
    folder: PathBuf,
    document: Document,
}

impl Reader {
    fn new() -> Self {
        let folder = path("checkout");
        let dist = folder.join("target/dist");
        fs::create_dir_all(&dist).unwrap();
        symlink(PACKAGES, dist.join(std::env::consts::ARCH)).unwrap();
        fs::create_dir_all(folder.join("bin")).unwrap();
        // The tests are root.
        let sudo = folder.join("bin/sudo");
        fs::write(&sudo, "#!/bin/sh\nexec \"$@\"\n").unwrap();
        fs::set_permissions(&sudo, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(ANSWER.0, ANSWER.1).unwrap();
        let document = Document {
            path: "docs/install.md".to_owned(),
            text: fs::read_to_string(PAGE).unwrap(),
        };
        Self { folder, document }
    }

    /// Returns the shell blocks below a heading.
    fn blocks(&self, heading: &str) -> Vec<String> {
        let title = format!("\n## {heading}\n");
        let (_, section) = self
            .document
            .text
            .split_once(&title)
            .unwrap_or_else(|| panic!("{heading}"));
        let section = section.split("\n## ").next().unwrap_or_default();
        let section = Document {
            path: self.document.path.clone(),
            text: section.to_owned(),
        };
        let blocks = shell::blocks(&section).into_iter();
        blocks
            .filter(|block| block.language == SHELL)
            .map(|block| block.text)
            .collect()
    }

    /// Types a block line by line in one shell, and returns what was printed. Each line has to succeed.
    fn type_block(&self, block: &str) -> String {
        let place = self.folder.display();
        let prepared = format!("set -e -o pipefail; cd {place}; export PATH={place}/bin:$PATH");
        let output = Command::new("bash")
            .args(["-c", &format!("{prepared}; set -x; {block}")])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(
            output.status.success(),
            "{block}ended with {}: {text}",
            output.status
        );
        println!("{block}");
        text
    }

    /// Types all blocks below a heading, and returns what was printed.
    fn type_section(&self, heading: &str) -> String {
        let blocks = self.blocks(heading);
        assert!(!blocks.is_empty(), "{heading}");
        blocks.iter().map(|block| self.type_block(block)).collect()
    }

    /// Starts the service and a recording, and checks that all lines tell of no loss.
    fn use_the_service(&self) {
        let said = self.type_section("As a service");
        for part in [
            "pintrace_unaccounted_pages 0\n",
            "serving http://",
            "Nothing was lost.",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = fs::remove_file(ANSWER.0);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
#[ignore = "needs systemd: cargo xtask test --systemd"]
fn the_lines_about_the_package_install_start_and_remove() {
    let before = Before::now();
    let reader = Reader::new();
    let said = reader.type_section("Debian and Ubuntu");
    assert!(said.contains("pins and releases can be traced"), "{said}");
    reader.use_the_service();
    let [remove, purge, _static] = &reader.blocks("Remove")[..] else {
        panic!("the section has other blocks");
    };
    reader.type_block(remove);
    assert!(Path::new("/var/lib/pintrace/incident.pintrace").exists());
    before.assert_nothing_is_left();
    reader.type_block(purge);
    drop(reader);
    assert_eq!(left_behind(), "");
}

#[test]
#[ignore = "needs systemd: cargo xtask test --systemd"]
fn the_lines_about_the_static_binary_install_start_and_remove() {
    let before = Before::now();
    let reader = Reader::new();
    let of_guest = path("program-of-the-guest");
    fs::copy(PROGRAM, &of_guest).unwrap();
    let said = reader.type_section("Static binary");
    assert!(said.contains("pins and releases can be traced"), "{said}");
    reader.use_the_service();
    let blocks = reader.blocks("Remove");
    reader.type_block(blocks.last().unwrap());
    assert!(!Path::new(PROGRAM).exists());
    before.assert_nothing_is_left();
    fs::copy(&of_guest, PROGRAM).unwrap();
    fs::remove_file(of_guest).unwrap();
    drop(reader);
    // The page says that recordings stay.
    assert_eq!(
        left_behind(),
        "/var/lib/pintrace\n/var/lib/pintrace/incident.pintrace\n"
    );
    fs::remove_dir_all("/var/lib/pintrace").unwrap();
}

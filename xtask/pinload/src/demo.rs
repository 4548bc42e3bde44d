//! `demo`: workloads under names of their own, coming and going, until a signal ends them all.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio, id};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitStatus, wait};
use std::os::fd::AsFd;

use crate::cli::DemoArgs;
use crate::failure::{Explain, Result};

/// A kind of process that comes and goes.
struct Scene {
    /// As ps and pintrace show it.
    name: &'static str,
    arguments: &'static str,
    /// Milliseconds for which pins are held: from, to.
    hold: (u64, u64),
    /// Milliseconds until the next one comes: from, to.
    pause: (u64, u64),
}

const STAYS: (u64, u64) = (86_400_000, 86_400_000);

const SCENES: [Scene; 12] = [
    scene(
        "db-cache",
        "io-uring --pages 4096 --buffers 16",
        STAYS,
        (1_000, 1_000),
    ),
    scene(
        "vm-memory",
        "io-uring --pages 8192 --backing thp",
        STAYS,
        (1_000, 1_000),
    ),
    scene("packet-pump", "af-xdp --pages 512", (5_000, 15_000), (500, 2_000)),
    scene(
        "gpu-share",
        "udmabuf --pages 1024",
        (4_000, 10_000),
        (1_000, 3_000),
    ),
    scene(
        "db-journal",
        "direct-write --pages 256 --block 4096",
        (0, 200),
        (100, 400),
    ),
    scene(
        "backup",
        "direct-read --pages 4096 --block 1048576",
        (0, 500),
        (500, 2_000),
    ),
    scene(
        "debugger",
        "process-vm --pages 256 --repeat 20",
        (0, 500),
        (1_000, 4_000),
    ),
    scene(
        "io-workers",
        "io-uring --pages 128 --threads 3",
        (2_000, 6_000),
        (500, 3_000),
    ),
    scene(
        "crasher",
        "io-uring --pages 256 --release kill",
        (3_000, 8_000),
        (2_000, 5_000),
    ),
    scene(
        "forgetful",
        "io-uring --pages 64 --touch munmap",
        (4_000, 9_000),
        (4_000, 9_000),
    ),
    scene(
        "forker",
        "io-uring --pages 64 --touch fork-write",
        (3_000, 9_000),
        (4_000, 9_000),
    ),
    scene(
        "log-shipper",
        "vmsplice --pages 128",
        (1_000, 4_000),
        (500, 2_000),
    ),
];

const fn scene(name: &'static str, arguments: &'static str, hold: (u64, u64), pause: (u64, u64)) -> Scene {
    Scene {
        name,
        arguments,
        hold,
        pause,
    }
}

/// A scene's place on the stage.
struct Slot {
    scene: &'static Scene,
    child: Option<Child>,
    next: Instant,
    /// It cannot run here.
    gone: bool,
}

/// Plays until SIGINT, SIGTERM or the end of the time.
pub(crate) fn run(arguments: &DemoArgs) -> Result<()> {
    let program = env::current_exe().failing("cannot find pinload's own file", "mount /proc")?;
    set_child_subreaper(true).failing("cannot adopt grandchildren", "use kernel 3.4 or later")?;
    let signals = endings()?;
    let end = arguments.duration.map(|duration| Instant::now() + duration);
    let mut dice = Dice::new();
    let mut slots: Vec<Slot> = SCENES
        .iter()
        .map(|scene| Slot {
            scene,
            child: None,
            next: Instant::now(),
            gone: false,
        })
        .collect();
    while end.is_none_or(|end| Instant::now() < end) && !signalled(&signals)? {
        for slot in slots.iter_mut().filter(|slot| !slot.gone) {
            advance(slot, &program, arguments, &mut dice)?;
        }
    }
    finish(&mut slots);
    Ok(())
}

/// Starts the slot's process, or notices its end.
fn advance(slot: &mut Slot, program: &Path, arguments: &DemoArgs, dice: &mut Dice) -> Result<()> {
    match &mut slot.child {
        None if Instant::now() >= slot.next => {
            slot.child = Some(start(slot.scene, program, arguments, dice)?);
        }
        None => {}
        Some(child) => {
            let ended = child
                .try_wait()
                .failing("cannot watch a child", "report this as a bug")?;
            if let Some(status) = ended {
                slot.child = None;
                // What this kernel does not offer today it will not offer in a second.
                slot.gone = matches!(status.code(), Some(2 | 3));
                slot.next = Instant::now() + Duration::from_millis(dice.between(slot.scene.pause));
            }
        }
    }
    Ok(())
}

fn start(scene: &Scene, program: &Path, arguments: &DemoArgs, dice: &mut Dice) -> Result<Child> {
    let mut command = Command::new(program);
    command.args(scene.arguments.split(' '));
    command.args(["--name", scene.name, "--die-with-parent", &id().to_string()]);
    command.args(["--hold", &format!("{}ms", dice.between(scene.hold))]);
    if scene.arguments.starts_with("direct") {
        command.arg("--file").arg(file_of(scene, &arguments.file));
    }
    if arguments.quiet {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    command
        .stdin(Stdio::null())
        .spawn()
        .failing("cannot start a workload", "raise ulimit -u")
}

/// Each scene with a file has one of its own.
fn file_of(scene: &Scene, file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".{}", scene.name));
    name.into()
}

/// Ends all children, and waits for all descendants.
fn finish(slots: &mut [Slot]) {
    for child in slots.iter_mut().filter_map(|slot| slot.child.as_mut()) {
        // It may have ended by itself.
        let _ = child.kill();
    }
    while wait().is_ok_and(|status| status != WaitStatus::StillAlive) {}
}

/// The signals that end the demo, as a descriptor.
fn endings() -> Result<SignalFd> {
    const REMEDY: &str = "report this as a bug of pinload";
    let mut set = SigSet::empty();
    set.add(Signal::SIGINT);
    set.add(Signal::SIGTERM);
    set.add(Signal::SIGHUP);
    set.thread_block().failing("cannot block signals", REMEDY)?;
    SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .failing("cannot wait for signals", REMEDY)
}

/// Waits a moment, and says whether a signal came.
fn signalled(signals: &SignalFd) -> Result<bool> {
    let mut waiting = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
    let came =
        poll(&mut waiting, PollTimeout::from(50_u8)).failing("cannot wait for signals", "report this")?;
    Ok(came > 0)
}

/// Numbers that look random (xorshift), seeded by the clock.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        Self(crate::report::now_ns() | 1)
    }

    fn between(&mut self, (from, to): (u64, u64)) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        from + self.0 % (to - from + 1)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn every_scene_is_a_valid_command_line() {
        for scene in &SCENES {
            let words = ["pinload"].into_iter().chain(scene.arguments.split(' '));
            let cli = crate::cli::Cli::try_parse_from(words).unwrap();
            assert!(
                crate::plan::Plan::of(cli.command).unwrap().is_some(),
                "{}",
                scene.name
            );
            assert!(scene.name.len() <= 15, "{}", scene.name);
        }
    }

    #[test]
    fn dice_stay_in_range() {
        let mut dice = Dice::new();
        assert!(
            (0..1000)
                .map(|_| dice.between((3, 5)))
                .all(|number| (3..=5).contains(&number))
        );
    }
}

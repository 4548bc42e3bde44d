//! Tells the service manager that started this process how it is: ready, alive, and what it does (sd_notify(3)).
//!
//! The socket is connected before the sandbox, which refuses new sockets. The crates for sd_notify open a socket for each
//! message.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// The connection to the service manager; without one, nothing is sent.
#[derive(Debug, Default)]
pub(super) struct ServiceManager {
    socket: Option<UnixDatagram>,
    /// The time after which the service manager takes a silent process for stuck (`WatchdogSec=`).
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// Connects to the service manager that the environment names.
    pub(super) fn connect() -> Self {
        let variable = |name: &str| std::env::var_os(name);
        let Some(path) = variable("NOTIFY_SOCKET") else {
            return Self::default();
        };
        let number = |name: &str| variable(name)?.to_str()?.parse::<u64>().ok();
        let for_this_process = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        Self {
            // A process without a service manager works all the same.
            socket: connected(&path).ok(),
            watchdog: number("WATCHDOG_USEC")
                .filter(|_| for_this_process)
                .map(Duration::from_micros),
        }
    }

    /// Says that all hooks are attached, with a sentence for `systemctl status`.
    pub(super) fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={status}"));
    }

    /// Changes the sentence of `systemctl status`.
    pub(super) fn status(&self, status: &str) {
        self.send(&format!("STATUS={status}"));
    }

    /// Says that the process is about to end.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1");
    }

    /// Reports for as long as the future is polled. The loop of a session polls it beside its ticks, so a loop that is stuck
    /// in a tick reports no more.
    pub(super) async fn keep_alive(&self) {
        let Some(watchdog) = self.watchdog else {
            return std::future::pending().await;
        };
        let mut reports = interval(watchdog / 3);
        reports.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            reports.tick().await;
            self.send("WATCHDOG=1");
        }
    }

    fn send(&self, message: &str) {
        if let Some(socket) = &self.socket {
            // The service manager restarts a process whose messages do not arrive.
            let _ = socket.send(message.as_bytes());
        }
    }
}

/// Returns a socket that is connected to a path, or to an abstract name after `@`.
fn connected(path: &OsStr) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A message that does not fit is lost, and does not stop the session.
    socket.set_nonblocking(true)?;
    match path.as_bytes() {
        [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        _ => socket.connect(path)?,
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(watchdog: Option<Duration>) -> (UnixDatagram, ServiceManager, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let receiver = UnixDatagram::bind(&path).unwrap();
        receiver.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let manager = ServiceManager {
            socket: Some(connected(path.as_os_str()).unwrap()),
            watchdog,
        };
        (receiver, manager, folder)
    }

    fn received(socket: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn the_messages_are_those_of_sd_notify() {
        let (receiver, manager, _folder) = manager(None);
        manager.ready("Tracing.");
        manager.status("Idle.");
        manager.stopping();
        assert_eq!(received(&receiver), "READY=1\nSTATUS=Tracing.");
        assert_eq!(received(&receiver), "STATUS=Idle.");
        assert_eq!(received(&receiver), "STOPPING=1");
    }

    #[test]
    fn a_name_after_an_at_sign_is_abstract() {
        let name = format!("pintrace-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let receiver = UnixDatagram::bind_addr(&address).unwrap();
        let socket = connected(OsStr::new(&format!("@{name}"))).unwrap();
        socket.send(b"READY=1").unwrap();
        assert_eq!(received(&receiver), "READY=1");
    }

    #[tokio::test(start_paused = true)]
    async fn reports_come_three_times_in_the_time_of_the_watchdog_and_end_with_the_polling() {
        let (receiver, manager, _folder) = manager(Some(Duration::from_secs(30)));
        let session = tokio::time::sleep(Duration::from_secs(31));
        tokio::select! {
            () = manager.keep_alive() => panic!("the reports ended"),
            () = session => {}
        }
        receiver.set_nonblocking(true).unwrap();
        let mut reports = 0;
        while receiver.recv(&mut [0; 64]).is_ok() {
            reports += 1;
        }
        assert_eq!(reports, 4);
    }

    #[test]
    fn without_a_service_manager_nothing_is_sent() {
        ServiceManager::default().ready("Tracing.");
        assert!(connected(OsStr::new("/nowhere/notify")).is_err());
    }
}

//! The server: limits the number, duration and size of connections, since any client on the network can open them.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use pintrace_model::snapshot::Snapshot;

use super::pages;

/// The default address of `pintrace serve`, which only this host can reach.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:9964";

/// Limits on clients. The defaults are ample for any scraper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest number of connections; further connections wait in the queue of the kernel.
    pub connections: usize,
    /// The time for the head of a request to arrive.
    pub head: Duration,
    /// The time for a whole connection.
    pub connection: Duration,
    /// The time for open connections to end after shutdown.
    pub farewell: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32,
            head: Duration::from_secs(5),
            connection: Duration::from_secs(10),
            farewell: Duration::from_secs(1),
        }
    }
}

/// The largest head of a request in bytes: the minimum that hyper allows. Scrapers send less than a tenth of this size.
const HEAD_BYTES: usize = 8 * 1024;

/// Why the endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process listens on the address.
    #[error("{0} is in use: stop the process that listens on it, or give another --web.listen-address")]
    InUse(SocketAddr),
    /// The address is not an address of this host.
    #[error("{0} is no address of this host: give another --web.listen-address")]
    NotHere(SocketAddr),
    /// Any other error.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, io::Error),
}

/// An open endpoint.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: Limits,
    /// The time of the latest read of /metrics.
    reads: watch::Sender<Option<Instant>>,
}

impl Server {
    /// Opens the endpoint. Clients can connect from now on; [`Server::run`] answers them.
    pub async fn bind(address: SocketAddr, limits: Limits) -> Result<Self, BindError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => BindError::InUse(address),
                io::ErrorKind::AddrNotAvailable => BindError::NotHere(address),
                _ => BindError::Other(address, error),
            })?;
        Ok(Self {
            listener,
            limits,
            reads: watch::Sender::new(None),
        })
    }

    /// Returns the address of the endpoint, with the port that the kernel chose if port 0 was given.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Returns the time of the latest read of /metrics; `None` before the first read.
    pub fn reads(&self) -> watch::Receiver<Option<Instant>> {
        self.reads.subscribe()
    }

    /// Answers with the latest snapshot until `shutdown` is ready.
    pub async fn run(self, snapshots: watch::Receiver<Arc<Snapshot>>, shutdown: impl Future<Output = ()>) {
        let permits = Arc::new(Semaphore::new(self.limits.connections));
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&self.listener, &permits) => accepted,
            };
            let Some((stream, permit)) = accepted else {
                continue;
            };
            let snapshots = snapshots.clone();
            let reads = self.reads.clone();
            let limits = self.limits;
            connections.spawn(async move {
                // A client that disconnects or is too slow gets no answer, which is no error of the server.
                let _ = timeout(limits.connection, converse(stream, (snapshots, reads), limits)).await;
                drop(permit);
            });
        }
        drop(self.listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(self.limits.farewell, ended).await;
    }
}

/// Accepts the next client once the limit allows another connection.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = permits.clone().acquire_owned().await.ok()?;
    if let Ok((stream, _)) = listener.accept().await {
        return Some((stream, permit));
    }
    // Most likely the process has no descriptors left. The pause prevents a busy loop.
    tokio::time::sleep(Duration::from_millis(100)).await;
    None
}

/// Answers one request. There is no keep-alive: a scraper connects every few seconds at most, and an idle connection
/// would count towards the limit.
async fn converse(
    stream: TcpStream,
    (snapshots, reads): (watch::Receiver<Arc<Snapshot>>, watch::Sender<Option<Instant>>),
    limits: Limits,
) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: Request<Incoming>| {
        let snapshot = snapshots.borrow().clone();
        if request.uri().path() == pages::METRICS {
            reads.send_replace(Some(Instant::now()));
        }
        let response = pages::answer(request.method(), request.uri().path(), &snapshot);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .keep_alive(false)
        .max_buf_size(HEAD_BYTES)
        .max_headers(64)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

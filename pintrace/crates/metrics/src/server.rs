//! Connections: how many, how long, how much. Anybody on the network may be at the other end.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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

/// Where `pintrace serve` listens unless told otherwise: on this host only.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:9964";

/// Bounds on what clients may take. The defaults are ample for any scraper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// For the request's head to arrive.
    pub head: Duration,
    /// For the whole of a connection.
    pub connection: Duration,
    /// For connections under way to end, once the server is to end.
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

/// Bytes of a request's head, the least that hyper takes; no scraper sends a tenth of it.
const HEAD_BYTES: usize = 8 * 1024;

/// Why the endpoint could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody else listens there.
    #[error("{0} is in use: stop what listens there, or give another --web.listen-address")]
    InUse(SocketAddr),
    /// The address is none of this host's.
    #[error("{0} is no address of this host: give another --web.listen-address")]
    NotHere(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, io::Error),
}

/// An open endpoint.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    limits: Limits,
}

impl Server {
    /// Opens the endpoint. From here on clients can connect; [`Server::run`] answers them.
    pub async fn bind(address: SocketAddr, limits: Limits) -> Result<Self, BindError> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::AddrInUse => BindError::InUse(address),
                io::ErrorKind::AddrNotAvailable => BindError::NotHere(address),
                _ => BindError::Other(address, error),
            })?;
        Ok(Self { listener, limits })
    }

    /// Where it listens: the port that was chosen, if port 0 was asked for.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers with the latest snapshot until `shutdown` is ready.
    pub async fn run(self, snapshots: watch::Receiver<Arc<Snapshot>>, shutdown: impl Future<Output = ()>) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let mut connections = JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => continue,
                accepted = accept(&self.listener, &places) => accepted,
            };
            let Some((stream, place)) = accepted else { continue };
            let snapshots = snapshots.clone();
            let limits = self.limits;
            connections.spawn(async move {
                // A client that breaks off or is too slow gets nothing, and nobody needs to know.
                let _ = timeout(limits.connection, converse(stream, snapshots, limits)).await;
                drop(place);
            });
        }
        drop(self.listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(self.limits.farewell, ended).await;
    }
}

/// The next client, once there is a place for it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    if let Ok((stream, _)) = listener.accept().await {
        return Some((stream, place));
    }
    // Out of descriptors, most likely: without a pause this would be a busy loop.
    tokio::time::sleep(Duration::from_millis(100)).await;
    None
}

/// One request and its answer. Without keep-alive: a scraper comes every few seconds at most, and a
/// connection that only waits would hold a place.
async fn converse(
    stream: TcpStream,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    limits: Limits,
) -> Result<(), hyper::Error> {
    let service = service_fn(move |request: Request<Incoming>| {
        let snapshot = snapshots.borrow().clone();
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

//! A server on a Unix or TCP socket for a test, and raw frames to and from it.

use std::future::Future;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use guts_abci::codec::{Decoder, encode};
use guts_abci::kvstore::{Memory, served};
use guts_abci::proto::abci::{Request, RequestCheckTx, Response, request, response};
use guts_abci::socket::{ServeError, Server};
use guts_abci::{Address, Served};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What any step of a test may take: far more than it does.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A server that runs; it stops when told or dropped.
pub struct Running {
    pub address: Address,
    pub stop: Option<oneshot::Sender<()>>,
    pub task: JoinHandle<Result<(), ServeError>>,
    _folder: Option<tempfile::TempDir>,
}

impl Running {
    /// Serves on a Unix socket in a folder of its own.
    pub async fn unix(served: Served) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::Unix(folder.path().join("app.sock"));
        Self::start(address, served, Decoder::default(), Some(folder)).await
    }

    /// Serves on a free TCP port.
    pub async fn tcp(served: Served) -> Self {
        let address = "tcp://127.0.0.1:0".parse().unwrap();
        Self::start(address, served, Decoder::default(), None).await
    }

    /// Serves the kvstore on a Unix socket.
    pub async fn kvstore() -> Self {
        Self::unix(served(Arc::new(Memory::new()))).await
    }

    /// Serves on an address.
    pub async fn start(
        address: Address,
        served: Served,
        decoder: Decoder,
        folder: Option<tempfile::TempDir>,
    ) -> Self {
        let server = Server::bind(&address).await.unwrap();
        // No call is cut off because this machine is busy.
        let server = server.with_decoder(decoder).with_stop_timeout(DEADLINE);
        let address = server.address().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { stopped.await.unwrap_or(()) };
        let task = tokio::spawn(server.run(served, shutdown));
        Self { address, stop: Some(stop), task, _folder: folder }
    }

    /// Tells it to stop and waits until it has.
    pub async fn stop(mut self) -> Result<(), ServeError> {
        drop(self.stop.take());
        in_time(self.task).await.unwrap()
    }
}

/// The result of a future that is soon ready.
pub async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("not ready before the deadline")
}

/// One connection without our client: frames as they are.
pub struct Raw {
    stream: std::os::unix::net::UnixStream,
    buffer: BytesMut,
}

impl Raw {
    /// Connects to a server on a Unix socket.
    pub fn connect(address: &Address) -> Self {
        let Address::Unix(path) = address else { panic!("a Unix socket is needed") };
        let stream = std::os::unix::net::UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { stream, buffer: BytesMut::new() }
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends one request.
    pub fn send(&mut self, value: request::Value) {
        let mut out = BytesMut::new();
        encode(&Request { value: Some(value) }, &mut out);
        self.send_bytes(&out);
    }

    /// The next response; `None` when the server closed the connection.
    pub fn receive(&mut self) -> Option<response::Value> {
        loop {
            if let Some(response) = Decoder::default().decode::<Response>(&mut self.buffer).unwrap()
            {
                return Some(response.value.unwrap());
            }
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("reading a response: {error}"),
            }
        }
    }
}

/// A CheckTx of these bytes.
pub fn check_tx(tx: &str) -> RequestCheckTx {
    RequestCheckTx { tx: bytes::Bytes::copy_from_slice(tx.as_bytes()), r#type: 0 }
}

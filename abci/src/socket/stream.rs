//! Unix and TCP sockets as one type: blocking ones for the server's threads, asynchronous ones
//! for the client.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::Address;

/// A blocking socket.
pub enum Stream {
    /// Of a Unix path.
    Unix(std::os::unix::net::UnixStream),
    /// Of a TCP port.
    Tcp(std::net::TcpStream),
}

impl Stream {
    /// A second handle of the same socket.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
        })
    }

    /// Ends one or both directions. The other side may have closed before: not an error.
    pub fn shutdown(&self, how: Shutdown) {
        let _already_closed = match self {
            Self::Unix(stream) => stream.shutdown(how),
            Self::Tcp(stream) => stream.shutdown(how),
        };
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(buffer),
            Self::Tcp(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The application's end before anyone connected.
pub enum Listener {
    /// On a Unix path.
    Unix(tokio::net::UnixListener, std::path::PathBuf),
    /// On a TCP port.
    Tcp(tokio::net::TcpListener),
}

impl Listener {
    /// Binds. A socket file that nobody listens on any more, as a killed process leaves it, is
    /// replaced.
    pub async fn bind(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(authority) => {
                Ok(Self::Tcp(tokio::net::TcpListener::bind(authority).await?))
            }
            Address::Unix(path) => {
                let listener = match tokio::net::UnixListener::bind(path) {
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                        if std::os::unix::net::UnixStream::connect(path).is_ok() {
                            return Err(error);
                        }
                        std::fs::remove_file(path)?;
                        tokio::net::UnixListener::bind(path)?
                    }
                    other => other?,
                };
                Ok(Self::Unix(listener, path.clone()))
            }
        }
    }

    /// Where it listens: the port is the real one, also where 0 was asked for.
    pub fn address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Unix(_, path) => Address::Unix(path.clone()),
            Self::Tcp(listener) => Address::Tcp(listener.local_addr()?.to_string()),
        })
    }

    /// The next connection, as a blocking socket that sends at once.
    pub async fn accept(&self) -> io::Result<Stream> {
        Ok(match self {
            Self::Unix(listener, _) => {
                let stream = listener.accept().await?.0.into_std()?;
                stream.set_nonblocking(false)?;
                Stream::Unix(stream)
            }
            Self::Tcp(listener) => {
                let stream = listener.accept().await?.0.into_std()?;
                stream.set_nonblocking(false)?;
                stream.set_nodelay(true)?;
                Stream::Tcp(stream)
            }
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // The next start replaces it anyway.
            let _left_behind = std::fs::remove_file(path);
        }
    }
}

/// The reading half of an asynchronous socket.
pub type ReadHalf = Box<dyn AsyncRead + Send + Unpin>;
/// The writing half of an asynchronous socket.
pub type WriteHalf = Box<dyn AsyncWrite + Send + Unpin>;

/// Connects once.
pub async fn connect(address: &Address) -> io::Result<(ReadHalf, WriteHalf)> {
    match address {
        Address::Unix(path) => {
            let (read, write) = tokio::net::UnixStream::connect(path).await?.into_split();
            Ok((Box::new(read), Box::new(write)))
        }
        Address::Tcp(authority) => {
            let stream = tokio::net::TcpStream::connect(authority).await?;
            stream.set_nodelay(true)?;
            let (read, write) = stream.into_split();
            Ok((Box::new(read), Box::new(write)))
        }
    }
}

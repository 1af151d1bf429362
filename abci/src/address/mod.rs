//! Where an application listens: `unix://PATH` or `tcp://HOST:PORT`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

#[cfg(test)]
mod tests;

/// The address of an application's socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket at this path; the file's permissions say who may connect.
    Unix(PathBuf),
    /// A TCP socket, `HOST:PORT`. Anyone who reaches it may connect.
    Tcp(String),
}

/// Why a text is not an [`Address`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("address {text:?}: {rule}")]
pub struct AddressError {
    /// What was given.
    pub text: String,
    /// The rule it breaks.
    pub rule: &'static str,
}

/// The longest path a Unix socket may have, in bytes (`sockaddr_un`, without its final zero).
pub const UNIX_PATH_BYTES_MAX: usize = 107;

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |rule| AddressError { text: text.to_owned(), rule };
        if let Some(path) = text.strip_prefix("unix://") {
            if path.is_empty() {
                return Err(wrong("a path must follow unix://"));
            }
            if path.len() > UNIX_PATH_BYTES_MAX {
                return Err(wrong("the path of a Unix socket has at most 107 bytes"));
            }
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        let Some(authority) = text.strip_prefix("tcp://") else {
            return Err(wrong("expected unix://PATH or tcp://HOST:PORT"));
        };
        let Some((host, port)) = authority.rsplit_once(':') else {
            return Err(wrong("a port must follow the host, as in tcp://HOST:PORT"));
        };
        if host.is_empty() {
            return Err(wrong("a host must come before the port"));
        }
        if port.parse::<u16>().is_err() {
            return Err(wrong("the port is a number up to 65535"));
        }
        Ok(Self::Tcp(authority.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

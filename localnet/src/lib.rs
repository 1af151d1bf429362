//! A network of pairs on one machine: makes genesis and keys, starts N times `guts-app` (or any
//! ABCI 2.0 program) and `guts-engine`, watches them, and kills and revives pairs.
//!
//! Reading order: [`network`] is what is on disk (one directory a validator and `network.json`),
//! [`create`] fills it, [`process`] starts and ends processes, [`start`] is the whole of
//! `./localnet/start`, [`stay`] watches over what it started, [`end`] is `./localnet/kill` and
//! `./localnet/stop`, [`status`] draws the table.
//!
//! Everything it knows is in `network.json`: a second invocation, in another terminal, finds the
//! processes by the pids recorded there and checks that they still are what they were.

pub mod app_state;
pub mod create;
pub mod end;
pub mod network;
pub mod ports;
pub mod probe;
pub mod process;
pub mod start;
pub mod status;
pub mod stay;

/// What can go wrong, each with the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the network could not be read or written.
    #[error("{what} {path}: {source}")]
    File {
        /// What was attempted, as "cannot write".
        what: &'static str,
        /// The file.
        path: String,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A port that a validator needs is in use.
    #[error(
        "port {port} ({use_}) is taken: end what listens there, stop the other network, or make a \
         network on other ports, with --port-offset and a --home of its own"
    )]
    PortTaken {
        /// Of TCP or UDP.
        port: u16,
        /// Whose it would be, as "RPC of validator 0".
        use_: String,
    },
    /// There is no network in the directory.
    #[error("no network in {0}: make one with ./localnet/start --home {0}")]
    NoNetwork(String),
    /// The arguments contradict each other or the network on disk.
    #[error("{0}")]
    Usage(String),
    /// A program did not start, or ended when it should not have.
    #[error("{0}")]
    Process(String),
    /// Genesis, keys or manifest were refused.
    #[error("genesis: {0}")]
    Genesis(String),
}

/// The result of everything in this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Attaches the action and the path to an input/output error.
pub(crate) fn at<T>(
    what: &'static str,
    path: &std::path::Path,
    result: std::io::Result<T>,
) -> Result<T> {
    result.map_err(|source| Error::File { what, path: path.display().to_string(), source })
}

#[cfg(test)]
mod tests;

//! What can go wrong around a git process, as one enum.

use std::io;
use std::path::PathBuf;

/// A failure of this crate. Texts name the thing and the rule; none is meant for a git user as it
/// stands (see [`crate::Outcome`] for those).
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// A file or socket could not be used.
    #[error("{what} {}: {source}", path.display())]
    File {
        /// What was tried, as a verb phrase.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A child process could not be started or spoken to.
    #[error("running git {what}: {source}")]
    Spawn {
        /// The git command.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A git command ended with a failure.
    #[error("git {what} failed ({status}): {stderr}")]
    Failed {
        /// The git command.
        what: String,
        /// How it ended.
        status: String,
        /// The start of what it said on stderr.
        stderr: String,
    },
    /// A child ran past one of its limits.
    #[error("git {what} went over its {limit} limit")]
    Limit {
        /// The git command.
        what: String,
        /// Which limit: `time`, `input` or `output`.
        limit: &'static str,
    },
    /// Nobody knows what objects a repository has.
    #[error("repository {0}: its object format cannot be told: {1}")]
    Format(crate::RepoId, String),
    /// A client does not take its answer.
    #[error("the client takes the answer too slowly")]
    Slow,
    /// Bytes that should be git's protocol are not.
    #[error("git protocol: {0}")]
    Protocol(&'static str),
    /// A gateway is not asked: it is where this node does not go, or says so itself.
    #[error("gateway {gateway}: {why}")]
    Gateway {
        /// Its URL.
        gateway: String,
        /// The rule.
        why: String,
    },
    /// A pack is not what its name says, or is too large.
    #[error("pack {hash}: {why}")]
    Pack {
        /// The content hash asked for.
        hash: String,
        /// The rule it broke.
        why: String,
    },
}

impl GitError {
    /// Wraps an I/O error with what was tried on which path.
    pub(crate) fn file(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }
}

//! The gateway: repositories, packs and the desk where hooks wait, joined to whoever holds the
//! state ([`Host`]).

use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use guts_schema::certificate::Certificate;
use tokio::sync::mpsc;

use crate::child::Limits;
use crate::desk::Desk;
use crate::error::GitError;
use crate::http::REQUESTS_BYTES_MAX;
use crate::packs::PackStore;
use crate::repositories::Repositories;
use crate::shares::Shares;
use crate::turns::Turns;
use crate::types::{PackInfo, RepoId};

/// What the gateway asks of the state and of the chain.
///
/// `find` and `nonce` read a snapshot and answer at once.
pub trait Host: Send + Sync + 'static {
    /// The repository at `/{owner}/{name}.git`.
    fn find(&self, owner: &str, name: &str) -> Found;

    /// A fresh push-certificate nonce for a repository, or a sentence why there is none now.
    fn nonce(&self, repo: RepoId) -> Result<String, String>;

    /// Waits, not for ever, until a repository shows what is committed here by now.
    fn shows_newest(&self, repo: RepoId) -> BoxFuture<'static, ()>;

    /// Brings a push to the chain and waits for its outcome. `say` shows lines to the pusher
    /// meanwhile. The pack is in the store before this is called.
    fn push(&self, push: Push, say: Say) -> BoxFuture<'static, Outcome>;
}

/// The answer to [`Host::find`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is there.
    Repository(RepoId),
    /// It is not; the sentence says why and what to do.
    Absent(String),
    /// This node cannot tell now; the sentence says why.
    Unavailable(String),
}

/// A push whose pack is unpacked in quarantine and stored, waiting to be ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Where to.
    pub repo: RepoId,
    /// The push certificate, as the client signed it. Its form is good and it names exactly the
    /// refs that git is about to move; signature and nonce are the host's to judge.
    pub certificate: Certificate,
    /// The pack; none when the push needs no new objects.
    pub pack: Option<PackInfo>,
}

/// How a push ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The refs have moved in committed state, and here. Lines for the pusher.
    Committed(Vec<String>),
    /// Nothing moved. Lines for the pusher, and a short reason for each ref (or for all of them).
    Refused {
        /// Shown as `remote:` lines.
        lines: Vec<String>,
        /// Shown after each ref in git's own report.
        reason: String,
    },
}

impl Outcome {
    /// A refusal with one reason, shown in both places.
    pub fn refused(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Refused { lines: vec![reason.clone()], reason }
    }
}

/// Shows a pusher what is going on, one `remote:` line each.
#[derive(Debug, Clone)]
pub struct Say {
    lines: mpsc::Sender<String>,
}

impl Say {
    pub(crate) fn new(lines: mpsc::Sender<String>) -> Self {
        Self { lines }
    }

    /// Shows a line. Dropped when the pusher is gone or does not read: never waits.
    pub fn line(&self, line: impl Into<String>) {
        let _ = self.lines.try_send(line.into());
    }
}

/// Everything the HTTP handlers need.
pub struct Gateway {
    /// The bare repositories.
    pub repositories: Repositories,
    /// Packs of pending pushes.
    pub packs: PackStore,
    /// Where the state is.
    pub host: Arc<dyn Host>,
    pub(crate) desk: Desk,
    /// Bounds the advertisements made at once.
    pub(crate) advertisements: Turns,
    /// Bounds the fetches served at once.
    pub(crate) fetches: Turns,
    /// Bounds the pushes held at once.
    pub(crate) pushes: Turns,
    /// The bytes that large requests may take.
    pub(crate) requests: Shares,
}

/// Advertisements at once: each is a git process that reads all refs of a repository.
const ADVERTISEMENTS_MAX: usize = 32;

/// Fetches served at once: each is a git process that may read a whole repository.
const FETCHES_MAX: usize = 32;

/// Pushes at once, most of which wait for a block.
const PUSHES_MAX: usize = 128;

/// Requests of each kind that wait for their turn; more are sent away.
const WAITING_MAX: usize = 128;

impl Gateway {
    /// A gateway over `repositories` and `packs`, its hook socket at `<home>/hook.sock`, of which
    /// one address may take `address_percent`. Must be called within a tokio runtime.
    pub fn open(
        home: &Path,
        repositories: Repositories,
        packs: PackStore,
        host: Arc<dyn Host>,
        address_percent: u8,
    ) -> Result<Arc<Self>, GitError> {
        let home = std::path::absolute(home).map_err(GitError::file("finding", home))?;
        let desk = Desk::open(home.join("hook.sock"), packs.clone(), host.clone())?;
        let turns = |at_once| Turns::new(at_once, WAITING_MAX, address_percent);
        Ok(Arc::new(Self {
            repositories,
            packs,
            host,
            desk,
            advertisements: turns(ADVERTISEMENTS_MAX),
            fetches: turns(FETCHES_MAX),
            pushes: turns(PUSHES_MAX),
            requests: Shares::new(REQUESTS_BYTES_MAX, address_percent),
        }))
    }

    /// The limits of this gateway's git children.
    pub fn limits(&self) -> &Limits {
        self.repositories.git().limits()
    }
}

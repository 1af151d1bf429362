//! The desk: where the pre-receive hooks of pushes in progress ask, and wait for, the outcome.
//!
//! One Unix socket, one connection a push. Which push a hook belongs to is said by a random token
//! in its environment; the token is taken off the list when the push's HTTP request ends.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use guts_schema::certificate::Certificate;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use crate::error::GitError;
use crate::gateway::{Host, Outcome, Push, Say};
use crate::hook::{Answer, Question};
use crate::packs::PackStore;
use crate::types::{RefUpdate, RepoId, parse_oid};

/// Longest question taken: a certificate of a few thousand refs, twice.
const QUESTION_MAX_BYTES: usize = 4 << 20;

/// Lines waiting for a pusher who does not read.
const SAY_QUEUE: usize = 64;

/// The list of pushes in progress and the socket's address.
#[derive(Clone)]
pub(crate) struct Desk {
    inner: Arc<Inner>,
}

struct Inner {
    socket: PathBuf,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    packs: PackStore,
    host: Arc<dyn Host>,
}

/// One `git-receive-pack` request.
#[derive(Debug)]
pub(crate) struct Session {
    repo: RepoId,
    /// Why the push was refused, for git's report.
    reason: Mutex<Option<String>>,
}

impl Session {
    /// Why the push was refused, once it was.
    pub(crate) fn reason(&self) -> Option<String> {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A session on the desk's list; dropping it takes it off.
pub(crate) struct Ticket {
    desk: Desk,
    /// What the hook must show.
    pub token: String,
    /// What it is about.
    pub session: Arc<Session>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.desk.sessions().remove(&self.token);
    }
}

impl Desk {
    /// Binds the socket (over a dead one of an earlier run) and serves it until the runtime ends.
    pub(crate) fn open(
        socket: PathBuf,
        packs: PackStore,
        host: Arc<dyn Host>,
    ) -> Result<Self, GitError> {
        let _ = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket).map_err(GitError::file("binding", &socket))?;
        let inner = Inner { socket, sessions: Mutex::default(), packs, host };
        let desk = Self { inner: Arc::new(inner) };
        let serving = Arc::downgrade(&desk.inner);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Some(inner) = serving.upgrade() else { return };
                tokio::spawn(async move { Self { inner }.answer(stream).await });
            }
        });
        Ok(desk)
    }

    /// The socket's path.
    pub(crate) fn socket(&self) -> &PathBuf {
        &self.inner.socket
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Session>>> {
        self.inner.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a push on the list.
    pub(crate) fn register(&self, repo: RepoId) -> Ticket {
        let token = format!("{:032x}", rand::random::<u128>());
        let session = Arc::new(Session { repo, reason: Mutex::new(None) });
        self.sessions().insert(token.clone(), session.clone());
        Ticket { desk: self.clone(), token, session }
    }

    async fn answer(&self, stream: UnixStream) {
        let (read, mut write) = stream.into_split();
        let Some((session, push, mut rest)) = self.take_push(read, &mut write).await else {
            return;
        };
        let (lines, mut said) = mpsc::channel(SAY_QUEUE);
        // Its own task: once submitted, a push goes on when its pusher is gone.
        let mut outcome = tokio::spawn(self.inner.host.push(push, Say::new(lines)));
        let outcome = loop {
            tokio::select! {
                Some(line) = said.recv() => {
                    if !send(&mut write, &Answer::Say(line)).await {
                        return;
                    }
                }
                ended = &mut outcome => break ended,
                // The hook never speaks again: end of file means that the pusher left.
                _ = rest.end() => return,
            }
        };
        while let Ok(line) = said.try_recv() {
            send(&mut write, &Answer::Say(line)).await;
        }
        let failed = |_| Outcome::refused("this gateway failed while the push was on its way");
        finish(&mut write, &session, outcome.unwrap_or_else(failed)).await;
    }

    /// Reads the question and stores the pack. What cannot become a push is refused here.
    async fn take_push(
        &self,
        read: OwnedReadHalf,
        write: &mut OwnedWriteHalf,
    ) -> Option<(Arc<Session>, Push, Rest)> {
        let mut lines = BufReader::new(read);
        let mut line = Vec::new();
        loop {
            let part = lines.fill_buf().await.ok()?;
            if part.is_empty() || line.len() > QUESTION_MAX_BYTES {
                return None;
            }
            let end = part.iter().position(|byte| *byte == b'\n');
            let n = end.map_or(part.len(), |at| at.saturating_add(1));
            line.extend_from_slice(&part[..n]);
            lines.consume(n);
            if end.is_some() {
                break;
            }
        }
        let question: Question = serde_json::from_slice(&line).ok()?;
        let session = self.sessions().get(&question.token).cloned()?;
        let outcome = match self.push_of(&session, question).await {
            Ok(Ok(push)) => return Some((session, push, Rest(lines))),
            Ok(Err(refused)) => refused,
            Err(error) => {
                tracing::warn!(%error, "a push could not be taken");
                Outcome::refused("this gateway could not store the push; push again, or elsewhere")
            }
        };
        finish(write, &session, outcome).await;
        None
    }

    /// The push a hook asks about, its pack stored; or why it cannot be one.
    async fn push_of(
        &self,
        session: &Session,
        question: Question,
    ) -> Result<Result<Push, Outcome>, GitError> {
        let Some(certificate) = question.certificate else { return Ok(Err(unsigned())) };
        let certificate = hex::decode(certificate);
        let certificate = certificate.map_err(|_| GitError::Protocol("a hook's certificate"))?;
        let certificate = match Certificate::parse(&certificate) {
            Ok(certificate) => certificate,
            Err(error) => return Ok(Err(Outcome::refused(error.to_string()))),
        };
        let updates: Result<Vec<_>, _> =
            question.commands.iter().map(|line| parse_command(line)).collect();
        // git leaves out what it refuses by itself; a push is all or nothing here.
        if updates? != certificate.updates {
            let text = "a push moves all of its refs or none, and git refuses some of them";
            return Ok(Err(Outcome::refused(text)));
        }
        let pack = match question.quarantine {
            Some(quarantine) => {
                let packs = self.inner.packs.clone();
                let adopted = tokio::task::spawn_blocking(move || packs.adopt(quarantine.as_ref()));
                adopted.await.map_err(|_| GitError::Protocol("storing a pack panicked"))??
            }
            None => None,
        };
        Ok(Ok(Push { repo: session.repo, certificate, pack }))
    }
}

/// The answer to a push without a certificate: what to type.
fn unsigned() -> Outcome {
    let lines = [
        "refused: pushes are signed here, and this one is not. In this repository, type:",
        "  git config gpg.format ssh && git config user.signingKey ~/.ssh/id_ed25519.pub",
        "  git config push.gpgSign if-asked",
        "(with the key of your account), then push again.",
    ];
    let lines = lines.map(str::to_owned).to_vec();
    Outcome::Refused { lines, reason: "the push is not signed".into() }
}

/// The read half after the question.
struct Rest(BufReader<OwnedReadHalf>);

impl Rest {
    async fn end(&mut self) {
        loop {
            match self.0.fill_buf().await {
                Ok(bytes) if !bytes.is_empty() => {
                    let n = bytes.len();
                    self.0.consume(n);
                }
                _ => return,
            }
        }
    }
}

async fn finish(write: &mut OwnedWriteHalf, session: &Session, outcome: Outcome) {
    let (lines, committed) = match outcome {
        Outcome::Committed(lines) => (lines, true),
        Outcome::Refused { lines, reason } => {
            *session.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            (lines, false)
        }
    };
    for line in lines {
        send(write, &Answer::Say(line)).await;
    }
    send(write, &Answer::End(committed)).await;
}

/// Sends one line; false when the hook is gone.
async fn send(write: &mut OwnedWriteHalf, answer: &Answer) -> bool {
    let Ok(mut line) = serde_json::to_vec(answer) else { return false };
    line.push(b'\n');
    write.write_all(&line).await.is_ok()
}

fn parse_command(line: &str) -> Result<RefUpdate, GitError> {
    let mut words = line.splitn(3, ' ');
    let mut word = || words.next().ok_or(GitError::Protocol("a command of receive-pack"));
    let (old, new) = (parse_oid(word()?)?, parse_oid(word()?)?);
    Ok(RefUpdate { name: word()?.to_owned(), old, new })
}

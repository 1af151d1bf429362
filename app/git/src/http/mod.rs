//! Smart HTTP, as stock git speaks it, over stock `git upload-pack` and `git receive-pack`.
//!
//! `GET  /{owner}/{repo}.git/info/refs?service=git-upload-pack|git-receive-pack`
//! `POST /{owner}/{repo}.git/git-upload-pack`, `.../git-receive-pack`
//! `GET  /packs/{sha256}`: a pack of a pending push, for other gateways.
//!
//! Requests and answers are streamed; the child of a request dies with its connection.

mod advertise;
mod input;
mod pace;
mod report;
mod stream;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::child::FSCK_IGNORED;
use crate::desk::Ticket;
use crate::error::GitError;
use crate::gateway::{Found, Gateway};
use crate::hook;
use crate::shares::Share;
use crate::turns::Turns;
use crate::types::RepoId;

/// Longest request of a fetch, or section of commands of a push, in bytes as it comes: git
/// compresses what is longer than 1 KiB.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// Bytes of such a request that are always taken; most have no more.
const SMALL_BYTES: usize = 16 << 10;

/// What the rest of all such requests may take, in bytes.
pub(crate) const REQUESTS_BYTES_MAX: usize = 64 << 20;

/// Seconds in which such a request must be there, however steadily it trickles.
const REQUEST_S_MAX: u64 = 120;

/// Longest `Git-Protocol` header passed on, in bytes.
const PROTOCOL_MAX_BYTES: usize = 128;

/// The `Prefer` header (RFC 7240) of a gateway that lacks objects itself: two such do not wait for
/// each other.
pub(crate) const NO_WAIT: &str = "wait=0";

/// Who asks, as an extension of a request: one address may have a part of what there is. Requests
/// without are all of one address.
#[derive(Debug, Clone, Copy)]
pub struct Asker(pub IpAddr);

impl Asker {
    fn address(asker: Option<Extension<Self>>) -> IpAddr {
        asker.map_or(Ipv4Addr::UNSPECIFIED.into(), |Extension(Self(address))| address)
    }
}

/// The routes of git and of the pack exchange.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/{owner}/{repo}/info/refs", get(info_refs))
        .route("/{owner}/{repo}/git-upload-pack", post(upload_pack))
        .route("/{owner}/{repo}/git-receive-pack", post(receive_pack))
        .route("/packs/{hash}", get(pack))
        // Packs are larger than axum's default; the limit of what git is fed is `input`'s.
        .layer(DefaultBodyLimit::disable())
        .with_state(gateway)
}

/// An answer that is not git's: a status and a sentence, which git shows to its user.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, text) = self;
        let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
        (status, kind, format!("{text}\n")).into_response()
    }
}

impl From<GitError> for Refusal {
    fn from(error: GitError) -> Self {
        tracing::warn!(%error, "a git request failed");
        let text = "this gateway could not serve the repository; try again, or another gateway";
        Self(StatusCode::INTERNAL_SERVER_ERROR, text.into())
    }
}

type Answer = Result<Response, Refusal>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    UploadPack,
    ReceivePack,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::UploadPack => "git-upload-pack",
            Self::ReceivePack => "git-receive-pack",
        }
    }

    /// The git command, without `git-`.
    fn command(self) -> &'static str {
        &self.name()[4..]
    }
}

#[derive(Deserialize)]
struct InfoRefs {
    service: Option<String>,
}

async fn info_refs(
    State(gateway): State<Arc<Gateway>>,
    Path((owner, repo)): Path<(String, String)>,
    Query(query): Query<InfoRefs>,
    asker: Option<Extension<Asker>>,
    headers: HeaderMap,
) -> Answer {
    let asker = Asker::address(asker);
    let repo = find(&gateway, &owner, &repo)?;
    match query.service.as_deref() {
        Some("git-upload-pack") => {
            let protocol = protocol(&headers);
            let waits = headers.get("prefer").is_none_or(|value| value != NO_WAIT);
            advertise::upload_pack(&gateway, asker, repo, protocol.as_deref(), waits).await
        }
        Some("git-receive-pack") => advertise::receive_pack(&gateway, asker, repo).await,
        _ => Err(Refusal(
            StatusCode::FORBIDDEN,
            "this gateway speaks git's smart HTTP only: use a git of the last ten years".into(),
        )),
    }
}

async fn upload_pack(
    State(gateway): State<Arc<Gateway>>,
    Path((owner, repo)): Path<(String, String)>,
    asker: Option<Extension<Asker>>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let asker = Asker::address(asker);
    let repo = find(&gateway, &owner, &repo)?;
    check_content_type(&headers, Service::UploadPack)?;
    let dir = gateway.repositories.ensure(repo)?;
    let git = gateway.repositories.git();
    let mut command = git.command(&dir, &["upload-pack", "--stateless-rpc", "--strict", "."]);
    command.setting("uploadpack.allowFilter", "true".as_ref());
    if let Some(protocol) = protocol(&headers) {
        command.env("GIT_PROTOCOL", protocol);
    }
    // All of it is here before it takes a turn: who asks slowly holds up nobody.
    let input = input::Input::new(body, &headers, git.limits())?;
    let input = input.gathered(&gateway.requests, asker).await?;
    let turn = turn(&gateway.fetches, asker).await?;
    Ok(stream::respond(Service::UploadPack, command.start()?, input, Held { turn, ticket: None }))
}

async fn receive_pack(
    State(gateway): State<Arc<Gateway>>,
    Path((owner, repo)): Path<(String, String)>,
    asker: Option<Extension<Asker>>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let asker = Asker::address(asker);
    let repo = find(&gateway, &owner, &repo)?;
    check_content_type(&headers, Service::ReceivePack)?;
    let ticket = gateway.desk.register(repo);
    let mut command =
        receive_pack_command(&gateway, repo, &["receive-pack", "--stateless-rpc", "."])?;
    command.env(hook::SOCKET, gateway.desk.socket()).env(hook::TOKEN, &ticket.token);
    // Who has not said yet what is to be pushed takes no turn.
    let input = input::Input::new(body, &headers, gateway.limits())?;
    let input = input.headed(&gateway.requests, asker).await?;
    let held = Held { turn: turn(&gateway.pushes, asker).await?, ticket: Some(ticket) };
    Ok(stream::respond(Service::ReceivePack, command.start()?, input, held))
}

/// What a streamed answer holds until it ends.
struct Held {
    turn: Share,
    ticket: Option<Ticket>,
}

async fn turn(turns: &Turns, asker: IpAddr) -> Result<Share, Refusal> {
    let crowded = "this gateway serves all it can, or all that your address may have, and enough \
                   wait: try again in a minute, or another gateway";
    turns.take(asker).await.ok_or_else(|| Refusal(StatusCode::SERVICE_UNAVAILABLE, crowded.into()))
}

/// receive-pack as `push-path` wants it: every pack kept as a pack, every ref left to our hook.
fn receive_pack_command(
    gateway: &Gateway,
    repo: RepoId,
    args: &[&str],
) -> Result<crate::child::GitCommand, GitError> {
    let dir = gateway.repositories.ensure(repo)?;
    let git = gateway.repositories.git();
    let mut command = git.command(&dir, args);
    let most = git.limits().file_bytes.min(git.limits().input_bytes).to_string();
    let settings = [
        // Any seed: it makes receive-pack advertise a nonce, which is replaced by ours.
        ("receive.certNonceSeed", "guts"),
        ("receive.unpackLimit", "1"),
        ("receive.procReceiveRefs", "refs/"),
        ("receive.advertisePushOptions", "true"),
        ("receive.advertiseAtomic", "true"),
        ("receive.fsckObjects", "true"),
        ("receive.denyDeleteCurrent", "ignore"),
        ("receive.autogc", "false"),
        ("receive.maxInputSize", &most),
    ];
    for (key, value) in settings {
        command.setting(key, value.as_ref());
    }
    for rule in FSCK_IGNORED {
        command.setting(&format!("receive.fsck.{rule}"), "ignore".as_ref());
    }
    Ok(command)
}

/// `GET /packs/{hash}`: only what is pending is in the store, so only that is served.
async fn pack(State(gateway): State<Arc<Gateway>>, Path(hash): Path<String>) -> Answer {
    let absent = || Refusal(StatusCode::NOT_FOUND, "no such pack is pending here".into());
    let hash = hash.parse().map_err(|_| absent())?;
    let file = gateway.packs.open_pack(&hash).ok_or_else(absent)?;
    let length = file.metadata().map_err(|_| absent())?.len();
    let stream =
        tokio_util::io::ReaderStream::with_capacity(tokio::fs::File::from_std(file), 1 << 16);
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
    ];
    Ok((headers, Body::from_stream(stream)).into_response())
}

fn find(gateway: &Gateway, owner: &str, repo: &str) -> Result<RepoId, Refusal> {
    let name = repo.strip_suffix(".git").unwrap_or(repo);
    match gateway.host.find(owner, name) {
        Found::Repository(id) => Ok(id),
        Found::Absent(text) => Err(Refusal(StatusCode::NOT_FOUND, text)),
        Found::Unavailable(text) => Err(Refusal(StatusCode::SERVICE_UNAVAILABLE, text)),
    }
}

fn check_content_type(headers: &HeaderMap, service: Service) -> Result<(), Refusal> {
    let expected = format!("application/x-{}-request", service.name());
    let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if found == Some(expected.as_str()) {
        return Ok(());
    }
    Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the content type is {expected}")))
}

/// The `Git-Protocol` header, if it is one git could have sent.
fn protocol(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("git-protocol")?.to_str().ok()?;
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"=:.-_".contains(&byte));
    (plain && value.len() <= PROTOCOL_MAX_BYTES).then(|| value.to_owned())
}

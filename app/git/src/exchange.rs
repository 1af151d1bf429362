//! Packs of pending pushes, asked for by hash from other gateways. Behind `https://` a gateway is
//! believed by the certificate authorities of this system, or those in `SSL_CERT_FILE`.
//!
//! A gateway may be somebody's who wants pushes to stall: it must answer soon and keep up a rate,
//! and so many packs are asked of each at once, however many pushes there are. No redirect is
//! followed, and nobody is asked where [`Peer`] says not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use guts_schema::attest::Verdict;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::child::FSCK_IGNORED;
use crate::error::GitError;
use crate::packs::{Draft, PackStore};
use crate::reach::{Peer, Resolver, Scope};
use crate::repositories::Repositories;
use crate::types::{PackHash, PackInfo, RepoId};

/// Packs asked of one gateway at once.
const DOWNLOADS_PER_GATEWAY: usize = 4;

/// What a gateway that is asked for a pack must keep up.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// How long it may take to answer, and to send the next part.
    part_within: Duration,
    /// How much longer than its bytes at the least rate a pack may take.
    grace: Duration,
    /// The least rate. A pack of 100 MB takes half an hour at most, were its push open that long.
    bytes_per_s: u64,
}

const PACE: Pace = Pace {
    part_within: Duration::from_secs(20),
    grace: Duration::from_secs(20),
    bytes_per_s: 64 << 10,
};

impl Pace {
    /// When the next part must be there, after so many bytes of an answer asked for at `start`.
    fn due(&self, start: Instant, bytes: u64) -> Instant {
        let earned = Duration::from_secs(bytes.checked_div(self.bytes_per_s).unwrap_or(u64::MAX));
        let part = Instant::now() + self.part_within;
        let whole = start.checked_add(self.grace).and_then(|due| due.checked_add(earned));
        whole.map_or(part, |whole| whole.min(part))
    }
}

/// Fetches packs.
#[derive(Debug, Clone)]
pub struct Exchange {
    repositories: Repositories,
    packs: PackStore,
    /// For gateways that may be anywhere, and for the others.
    anywhere: HttpClient,
    public: HttpClient,
    pace: Pace,
    /// What is asked of each gateway now: those of which nothing is are not there.
    sources: Arc<Mutex<BTreeMap<String, Arc<Semaphore>>>>,
}

type HttpClient = Client<HttpsConnector<HttpConnector<Resolver>>, Empty<Bytes>>;

/// A pack whose bytes are here and are what its name says; nobody looked into them yet. Dropping it
/// drops the bytes.
#[derive(Debug)]
pub struct Download {
    pack: PackInfo,
    /// None when the pack is in the store already.
    draft: Option<Draft>,
}

impl Exchange {
    /// An exchange into `packs`.
    pub fn new(repositories: Repositories, packs: PackStore) -> Self {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let why = found.errors.first().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(
                why,
                "no certificate authority is known here: packs and objects cannot be fetched from \
                 gateways behind https; install ca-certificates, or set SSL_CERT_FILE"
            );
        }
        Self::believing(roots, repositories, packs)
    }

    fn believing(roots: RootCertStore, repositories: Repositories, packs: PackStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the versions that are safe")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = |scope| {
            let mut http = HttpConnector::new_with_resolver(Resolver { scope });
            // The other scheme is for what lies above it.
            http.enforce_http(false);
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(config.clone())
                .https_or_http()
                .enable_http1()
                .wrap_connector(http);
            Client::builder(TokioExecutor::new()).build(connector)
        };
        let (anywhere, public) = (client(Scope::Any), client(Scope::Public));
        Self { repositories, packs, anywhere, public, pace: PACE, sources: Arc::default() }
    }

    /// Gets a pack from the first of `gateways` that has it, by hash and size; none when no gateway
    /// asked has it now. The size is the one the transaction names: not a byte more is read.
    /// Dropping this ends what it asks for. `judge` is told of each URL that gave the pack, or
    /// failed to answer; who says that it does not have it did neither.
    ///
    /// Where the first is busy with others, its turn is waited for; the rest are passed over then.
    pub async fn download(
        &self,
        pack: PackInfo,
        gateways: &[Peer],
        judge: impl Fn(&str, bool),
    ) -> Result<Option<Download>, GitError> {
        if self.packs.has(&pack.hash) {
            return Ok(Some(Download { pack, draft: None }));
        }
        let draft = self.packs.draft()?;
        for (i, gateway) in gateways.iter().enumerate() {
            let source = self.source(&gateway.url);
            let turn = match i {
                0 => source.acquire_owned().await.ok(),
                _ => source.try_acquire_owned().ok(),
            };
            let Some(turn) = turn else { continue };
            match self.get(gateway, &pack, &draft, turn).await {
                Ok(true) => {
                    judge(&gateway.url, true);
                    return Ok(Some(Download { pack, draft: Some(draft) }));
                }
                Ok(false) => tracing::debug!(gateway = gateway.url, "it does not have the pack"),
                // Nobody else's fault.
                Err(error @ GitError::File { .. }) => return Err(error),
                Err(error) => {
                    judge(&gateway.url, false);
                    match error {
                        GitError::Gateway { .. } => tracing::warn!(%error, "not asked"),
                        _ => tracing::debug!(gateway = gateway.url, %error, "no pack from it"),
                    }
                }
            }
        }
        Ok(None)
    }

    /// The turns at one gateway. Those that nobody has or waits for are forgotten.
    fn source(&self, gateway: &str) -> Arc<Semaphore> {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.retain(|_, turns| Arc::strong_count(turns) > 1);
        let turns = sources.entry(gateway.to_owned());
        turns.or_insert_with(|| Arc::new(Semaphore::new(DOWNLOADS_PER_GATEWAY))).clone()
    }

    /// Gets a pack from a gateway; false when it says that it does not have it.
    async fn get(
        &self,
        gateway: &Peer,
        pack: &PackInfo,
        draft: &Draft,
        _turn: OwnedSemaphorePermit,
    ) -> Result<bool, GitError> {
        let hash = pack.hash;
        let bad = |why: String| GitError::Pack { hash: hash.to_string(), why };
        gateway.check()?;
        let uri = format!("{}/packs/{hash}", gateway.base());
        let uri: Uri = uri.parse().map_err(|_| bad(format!("{} is no URL", gateway.url)))?;
        let client = match gateway.scope {
            Scope::Any => &self.anywhere,
            Scope::Public => &self.public,
        };
        let request = Request::get(uri).body(Empty::new());
        let request = request.map_err(|error| bad(error.to_string()))?;
        let slow = |_| bad("the gateway is too slow".into());
        let start = Instant::now();
        let asked = client.request(request);
        let answer = tokio::time::timeout_at(self.pace.due(start, 0), asked).await;
        let answer = answer.map_err(slow)?.map_err(|error| bad(error.to_string()))?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(false),
            other => return Err(bad(format!("the gateway answered {other}"))),
        }
        let path = draft.incoming();
        let file = tokio::fs::File::create(&path).await;
        let mut file = file.map_err(GitError::file("making", &path))?;
        let (mut body, mut size, mut hasher) = (answer.into_body(), 0_u64, Sha256::new());
        while let Some(frame) =
            tokio::time::timeout_at(self.pace.due(start, size), body.frame()).await.map_err(slow)?
        {
            let frame = frame.map_err(|error| bad(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            size = size.saturating_add(data.len() as u64);
            if size > pack.size {
                return Err(bad("longer than the transaction says".into()));
            }
            hasher.update(&data);
            file.write_all(&data).await.map_err(GitError::file("writing", &path))?;
        }
        let found = PackHash::new(hasher.finalize().into());
        if size != pack.size || found != hash {
            return Err(bad(format!("the gateway sent {found} of {size} bytes")));
        }
        // Durable before anything is attested about it.
        file.sync_all().await.map_err(GitError::file("syncing", &path))?;
        Ok(true)
    }

    /// Indexes a pack under `fsck` against the repository, and puts it in the store; or says what
    /// is wrong with it.
    pub async fn index(
        &self,
        repo: RepoId,
        download: Download,
    ) -> Result<Option<Verdict>, GitError> {
        let Download { pack: PackInfo { hash, size }, draft } = download;
        let Some(draft) = draft else {
            let gone = || GitError::Pack { hash: hash.to_string(), why: "it is not here".into() };
            // What has that name and another size is no pack.
            let is_it = self.packs.size(&hash).ok_or_else(gone)? == size;
            return Ok((!is_it).then_some(Verdict::PackCorrupt));
        };
        let dir = self.repositories.ensure(repo)?;
        let pack = draft.incoming();
        let strict: Vec<_> = FSCK_IGNORED.iter().map(|rule| format!("{rule}=ignore")).collect();
        let strict = format!("--strict={}", strict.join(","));
        let pack = pack.to_string_lossy();
        let args = ["index-pack", &strict, pack.as_ref()];
        let ended = match self.repositories.git().command(&dir, &args).output(b"").await {
            Err(GitError::Limit { .. }) => return Ok(Some(Verdict::TooBig)),
            other => other?,
        };
        if ended.decided("index-pack", &[0, 1, 128])? != 0 {
            tracing::info!(%hash, stderr = ended.stderr, "a pack was refused");
            return Ok(Some(refusal(&ended.stderr)));
        }
        let trailer = String::from_utf8_lossy(&ended.stdout);
        let trailer = trailer.split_whitespace().last().unwrap_or_default();
        if trailer.len() < 40 || !trailer.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(GitError::Protocol("index-pack did not name the pack"));
        }
        self.packs.keep_incoming(&draft, &hash, trailer)?;
        Ok(None)
    }
}

/// Which verdict index-pack's words mean.
fn refusal(stderr: &str) -> Verdict {
    if stderr.contains("did not receive expected object") || stderr.contains("unresolved delta") {
        Verdict::ObjectsMissing
    } else if stderr.contains("fsck error") || stderr.contains("Error in object") {
        Verdict::ObjectsBad
    } else {
        Verdict::PackCorrupt
    }
}

#[cfg(test)]
mod tests;

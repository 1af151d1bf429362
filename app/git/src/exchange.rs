//! Packs of pending pushes, asked for by hash from other gateways. Behind `https://` a gateway is
//! believed by the certificate authorities of this system, or those in `SSL_CERT_FILE`.

use std::sync::Arc;
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

use crate::child::FSCK_IGNORED;
use crate::error::GitError;
use crate::packs::{Draft, PackStore};
use crate::repositories::Repositories;
use crate::types::{PackHash, PackInfo, RepoId};

/// How long a gateway may take to answer, and to send the next part.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// Fetches packs.
#[derive(Debug, Clone)]
pub struct Exchange {
    repositories: Repositories,
    packs: PackStore,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// What became of asking for a pack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// It is in the store.
    Stored,
    /// Its bytes were got and are no good; why.
    Refused(Verdict),
    /// No gateway asked has it now.
    Nowhere,
}

impl Exchange {
    /// An exchange into `packs`.
    pub fn new(repositories: Repositories, packs: PackStore) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::believing(roots, repositories, packs)
    }

    fn believing(roots: RootCertStore, repositories: Repositories, packs: PackStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has the versions that are safe")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { repositories, packs, client }
    }

    /// Gets the pack of a push from the first of `gateways` (URLs such as
    /// `http://127.0.0.1:8080`) that has it, checks hash and size, and indexes it under `fsck`
    /// against the repository. The size is the one the transaction names: not a byte more is read.
    pub async fn fetch(
        &self,
        repo: RepoId,
        pack: PackInfo,
        gateways: &[String],
    ) -> Result<Fetched, GitError> {
        if self.packs.has(&pack.hash) {
            return Ok(Fetched::Stored);
        }
        let draft = self.packs.draft()?;
        for gateway in gateways {
            match self.download(gateway, &pack, &draft).await {
                Ok(()) => return self.index(repo, &pack.hash, &draft).await,
                Err(error) => tracing::debug!(gateway, %error, "no pack from this gateway"),
            }
        }
        Ok(Fetched::Nowhere)
    }

    async fn download(
        &self,
        gateway: &str,
        pack: &PackInfo,
        draft: &Draft,
    ) -> Result<(), GitError> {
        let hash = pack.hash;
        let bad = |why: String| GitError::Pack { hash: hash.to_string(), why };
        let uri = format!("{}/packs/{hash}", gateway.trim_end_matches('/'));
        let uri: Uri = uri.parse().map_err(|_| bad(format!("{gateway} is no URL")))?;
        let request = Request::get(uri).body(Empty::new());
        let request = request.map_err(|error| bad(error.to_string()))?;
        let slow = |_| bad("the gateway is too slow".into());
        let answer = tokio::time::timeout(ANSWER_WITHIN, self.client.request(request)).await;
        let answer = answer.map_err(slow)?.map_err(|error| bad(error.to_string()))?;
        if answer.status() != StatusCode::OK {
            return Err(bad(format!("the gateway answered {}", answer.status())));
        }
        let path = draft.incoming();
        let file = tokio::fs::File::create(&path).await;
        let mut file = file.map_err(GitError::file("making", &path))?;
        let (mut body, mut size, mut hasher) = (answer.into_body(), 0_u64, Sha256::new());
        while let Some(frame) =
            tokio::time::timeout(ANSWER_WITHIN, body.frame()).await.map_err(slow)?
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
        file.sync_all().await.map_err(GitError::file("syncing", &path))
    }

    async fn index(
        &self,
        repo: RepoId,
        hash: &PackHash,
        draft: &Draft,
    ) -> Result<Fetched, GitError> {
        let dir = self.repositories.ensure(repo)?;
        let pack = draft.incoming();
        let strict: Vec<_> = FSCK_IGNORED.iter().map(|rule| format!("{rule}=ignore")).collect();
        let strict = format!("--strict={}", strict.join(","));
        let pack = pack.to_string_lossy();
        let args = ["index-pack", &strict, pack.as_ref()];
        let ended = match self.repositories.git().command(&dir, &args).output(b"").await {
            Err(GitError::Limit { .. }) => return Ok(Fetched::Refused(Verdict::TooBig)),
            other => other?,
        };
        if ended.decided("index-pack", &[0, 1, 128])? != 0 {
            tracing::info!(%hash, stderr = ended.stderr, "a pack was refused");
            return Ok(Fetched::Refused(refusal(&ended.stderr)));
        }
        let trailer = String::from_utf8_lossy(&ended.stdout);
        let trailer = trailer.split_whitespace().last().unwrap_or_default();
        if trailer.len() < 40 || !trailer.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(GitError::Protocol("index-pack did not name the pack"));
        }
        self.packs.keep_incoming(draft, hash, trailer)?;
        Ok(Fetched::Stored)
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

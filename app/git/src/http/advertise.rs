//! Advertisements: what a repository has, and what this server can do.

use std::net::IpAddr;

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;

use super::{Answer, Refusal, Service, receive_pack_command};
use crate::error::GitError;
use crate::gateway::Gateway;
use crate::pktline::{self, Line};
use crate::types::RepoId;

/// The advertisement for fetches, by a client that waits for the newest refs or not. Protocol v2
/// has no service line of its own.
pub(super) async fn upload_pack(
    gateway: &Gateway,
    asker: IpAddr,
    repo: RepoId,
    protocol: Option<&str>,
    waits: bool,
) -> Answer {
    if waits {
        gateway.host.shows_newest(repo).await;
    }
    let _turn = super::turn(&gateway.advertisements, asker).await?;
    let dir = gateway.repositories.ensure(repo)?;
    let args = ["upload-pack", "--strict", "--http-backend-info-refs", "."];
    let mut command = gateway.repositories.git().command(&dir, &args);
    command.setting("uploadpack.allowFilter", "true".as_ref());
    if let Some(protocol) = protocol {
        command.env("GIT_PROTOCOL", protocol);
    }
    let advertisement = command.success(b"").await?;
    let is_v2 = protocol.is_some_and(|text| text.split(':').any(|word| word == "version=2"));
    answer(Service::UploadPack, &advertisement, !is_v2)
}

/// The advertisement for pushes, its nonce replaced by ours.
pub(super) async fn receive_pack(gateway: &Gateway, asker: IpAddr, repo: RepoId) -> Answer {
    let nonce = gateway.host.nonce(repo);
    let nonce = nonce.map_err(|text| Refusal(StatusCode::SERVICE_UNAVAILABLE, text))?;
    let _turn = super::turn(&gateway.advertisements, asker).await?;
    let args = ["receive-pack", "--http-backend-info-refs", "."];
    let advertisement = receive_pack_command(gateway, repo, &args)?.success(b"").await?;
    let advertisement = with_nonce(&advertisement, &nonce)?;
    answer(Service::ReceivePack, &advertisement, true)
}

fn answer(service: Service, advertisement: &[u8], is_announced: bool) -> Answer {
    let mut body = Vec::new();
    if is_announced {
        pktline::write(&mut body, format!("# service={}\n", service.name()).as_bytes())?;
        body.extend_from_slice(pktline::FLUSH);
    }
    body.extend_from_slice(advertisement);
    let kind = format!("application/x-{}-advertisement", service.name());
    let headers = [
        (header::CONTENT_TYPE, kind.as_str()),
        (header::CACHE_CONTROL, "no-cache, max-age=0, must-revalidate"),
    ];
    Ok((headers, body).into_response())
}

/// Replaces the `push-cert=` token among the capabilities of the first line.
pub(super) fn with_nonce(advertisement: &[u8], nonce: &str) -> Result<Vec<u8>, GitError> {
    let bad = GitError::Protocol("an advertisement without a push-cert capability");
    let Some((Line::Data(first), rest)) = pktline::read(advertisement)? else { return Err(bad) };
    let Some(zero) = first.iter().position(|byte| *byte == 0) else { return Err(bad) };
    let (head, capabilities) = first.split_at(zero);
    let Ok(capabilities) = std::str::from_utf8(&capabilities[1..]) else { return Err(bad) };
    if !capabilities.split_ascii_whitespace().any(|word| word.starts_with("push-cert=")) {
        return Err(bad);
    }
    let ours = format!("push-cert={nonce}");
    let words: Vec<&str> = capabilities
        .split_ascii_whitespace()
        .map(|word| if word.starts_with("push-cert=") { ours.as_str() } else { word })
        .collect();
    let mut line = head.to_vec();
    line.push(0);
    line.extend_from_slice(words.join(" ").as_bytes());
    line.push(b'\n');
    let mut out = Vec::with_capacity(advertisement.len().saturating_add(ours.len()));
    pktline::write(&mut out, &line)?;
    out.extend_from_slice(rest);
    Ok(out)
}

#[cfg(test)]
mod tests;

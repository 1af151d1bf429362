//! HTTP over TLS to nodes behind `https://`: rustls with the certificate authorities of this
//! system, or those in `SSL_CERT_FILE`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use guts_rpc::client::{ClientError, Http, Transport};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};

/// Bytes of an answer, at most: as over plain HTTP.
const ANSWER_BYTES_MAX: usize = 160 << 20;

/// A transport to one node.
#[derive(Debug)]
pub struct Https {
    uri: Uri,
    client: hyper_util::client::legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
}

impl Https {
    /// A transport to `https://HOST[:PORT][/PATH]`, believing this system's authorities.
    ///
    /// # Errors
    /// If the address is not one, or no authority is installed.
    pub fn new(address: &str) -> Result<Self, ClientError> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(unreachable(
                address,
                "no certificate authorities are installed here: install ca-certificates, or set \
                 SSL_CERT_FILE"
                    .into(),
            ));
        }
        Self::with_roots(address, roots)
    }

    /// As [`Https::new`], believing these authorities.
    ///
    /// # Errors
    /// If the address is not one.
    pub fn with_roots(address: &str, roots: RootCertStore) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("https") || uri.host().is_none_or(str::is_empty) {
            return Err(wrong());
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unreachable(address, error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .build();
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(connector);
        Ok(Self { uri, client, timeout: Http::TIMEOUT })
    }

    async fn exchange(&self, body: Bytes) -> Result<Bytes, ClientError> {
        let failed = |error: &dyn std::error::Error| {
            let mut why = error.to_string();
            let mut cause = error.source();
            while let Some(error) = cause {
                why = format!("{why}: {error}");
                cause = error.source();
            }
            unreachable(&self.uri.to_string(), why)
        };
        let request = Request::post(&self.uri)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| failed(&error))?;
        let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX).collect().await;
        Ok(body.map_err(|error| failed(error.as_ref()))?.to_bytes())
    }
}

fn unreachable(address: &str, why: String) -> ClientError {
    ClientError::Unreachable { address: address.to_owned(), why }
}

impl Transport for Https {
    fn post(&self, body: Bytes) -> BoxFuture<'_, Result<Bytes, ClientError>> {
        Box::pin(async move {
            let late = |_| ClientError::Timeout {
                address: self.uri.to_string(),
                seconds: self.timeout.as_secs(),
            };
            tokio::time::timeout(self.timeout, self.exchange(body)).await.map_err(late)?
        })
    }
}

#[cfg(test)]
mod tests;

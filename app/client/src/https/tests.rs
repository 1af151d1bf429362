//! TLS against a server in this process: the right authority, a wrong one, a wrong address.
use guts_rpc::client::Client;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Made by OpenSSL for the names localhost and 127.0.0.1, valid for a hundred years.
const AUTHORITY: &[u8] = include_bytes!("../../../../tests/vectors/tls/ca.pem");
const NODE: &[u8] = include_bytes!("../../../../tests/vectors/tls/node.pem");
const NODE_KEY: &[u8] = include_bytes!("../../../../tests/vectors/tls/node.key");

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).expect("a certificate")
}

fn roots(pem: &[u8]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(certificate(pem)).expect("good");
    roots
}

/// A node that answers `health` to whatever it is asked; its address.
async fn node() -> String {
    let key = PrivateKeyDer::from_pem_slice(NODE_KEY).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate(NODE)], key)
        .expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let body = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://localhost:{}/rpc/", address.port())
}

#[tokio::test]
async fn a_node_behind_tls_answers_who_knows_its_authority() {
    let address = node().await;
    let transport = Https::with_roots(&address, roots(AUTHORITY)).expect("an address");
    assert_eq!(transport.uri.path(), "/rpc/");
    Client::over(Arc::new(transport)).health().await.expect("an answer");

    // The node's own certificate is no authority for itself.
    let stranger = Https::with_roots(&address, roots(NODE)).expect("an address");
    let refused = Client::over(Arc::new(stranger)).health().await.expect_err("refused");
    assert!(refused.to_string().contains("certificate"), "{refused}");
}

#[tokio::test]
async fn plain_http_to_a_node_behind_tls_is_no_answer() {
    let address = node().await.replace("https://", "http://");
    let client = Client::new(address.trim_end_matches("/rpc/")).expect("an address");
    assert!(client.health().await.is_err());
}

#[test]
fn other_addresses_are_refused() {
    for address in ["https://", "https:///x", "http://localhost", "localhost:1", "https://a b"] {
        let made = Https::with_roots(address, roots(AUTHORITY));
        assert!(matches!(made, Err(ClientError::Address(_))), "{address}");
    }
}

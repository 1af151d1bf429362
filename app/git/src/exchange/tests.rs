//! Packs from a gateway behind TLS, in this process.

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::Limits;

/// Made by OpenSSL for the names localhost and 127.0.0.1, valid for a hundred years.
const AUTHORITY: &[u8] = include_bytes!("../../../client/testdata/tls/ca.pem");
const NODE: &[u8] = include_bytes!("../../../client/testdata/tls/node.pem");
const NODE_KEY: &[u8] = include_bytes!("../../../client/testdata/tls/node.key");

const PACK: &[u8] = b"PACK and so on";

fn certificate(pem: &[u8]) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem).unwrap()
}

/// A gateway that answers whatever it is asked with the pack; its URL.
async fn gateway() -> String {
    let key = PrivateKeyDer::from_pem_slice(NODE_KEY).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate(NODE)], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            // One read has the few lines of the request.
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", PACK.len());
            let _ = stream.write_all(&[head.as_bytes(), PACK].concat()).await;
            let _ = stream.shutdown().await;
        }
    });
    format!("https://localhost:{port}")
}

/// What an exchange that believes an authority gets from there.
async fn got(url: &str, authority: &[u8], pack: PackInfo) -> Result<Vec<u8>, GitError> {
    let home = tempfile::TempDir::new().unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(authority)).unwrap();
    let format_of = Box::new(|_| Err("there is none".to_owned()));
    let hook = home.path().join("hook");
    let repositories = Repositories::open(home.path(), &hook, Limits::default(), format_of)?;
    let exchange = Exchange::believing(roots, repositories, PackStore::open(home.path())?);
    let draft = exchange.packs.draft()?;
    exchange.download(url, &pack, &draft).await?;
    Ok(std::fs::read(draft.incoming()).unwrap())
}

#[tokio::test]
async fn a_gateway_behind_tls_gives_packs_to_who_knows_its_authority() {
    let url = gateway().await;
    let pack = PackInfo { hash: PackHash::of(PACK), size: PACK.len() as u64 };
    assert_eq!(got(&url, AUTHORITY, pack).await.unwrap(), PACK);
    // The node's own certificate is no authority for itself.
    assert!(got(&url, NODE, pack).await.is_err());
    // And what comes is checked as ever.
    let other = PackInfo { hash: PackHash::of(b"another"), ..pack };
    let refused = got(&url, AUTHORITY, other).await.unwrap_err().to_string();
    assert!(refused.contains("the gateway sent"), "{refused}");
    let short = PackInfo { size: pack.size - 1, ..pack };
    let refused = got(&url, AUTHORITY, short).await.unwrap_err().to_string();
    assert!(refused.contains("longer than the transaction says"), "{refused}");
}

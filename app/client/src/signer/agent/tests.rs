//! The agent protocol, spoken with a small agent on a socket.
use guts_schema::sign::{Claim, SecretKey};
use tokio::net::UnixListener;

use super::*;

fn frame(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut body = vec![kind];
    parts.iter().for_each(|part| body.extend_from_slice(part));
    let mut bytes = Vec::new();
    put(&mut bytes, &body);
    bytes
}

fn string(part: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put(&mut bytes, part);
    bytes
}

/// An agent with an RSA key and an ed25519 one.
async fn serve(listener: UnixListener, secret: SecretKey) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let length = stream.read_u32().await.expect("a request");
        let mut request = vec![0; length as usize];
        stream.read_exact(&mut request).await.expect("whole");
        let own = key_to_blob(&secret.public());
        let answer = match request[0] {
            REQUEST_IDENTITIES => {
                let rsa = string(&string(b"ssh-rsa"));
                let parts: [&[u8]; 5] =
                    [&2u32.to_be_bytes(), &rsa, &string(b"old"), &string(&own), &string(b"new")];
                frame(IDENTITIES_ANSWER, &parts)
            }
            SIGN_REQUEST => {
                let mut rest = &request[1..];
                let key = take(&mut rest).expect("a key");
                let data = take(&mut rest).expect("data");
                if key == own {
                    let signature = secret.sign(data);
                    let blob = [string(b"ssh-ed25519"), string(signature.as_bytes())].concat();
                    frame(SIGN_RESPONSE, &[&string(&blob)])
                } else {
                    frame(5, &[])
                }
            }
            _ => frame(5, &[]),
        };
        stream.write_all(&answer).await.expect("sent");
    }
}

#[tokio::test]
async fn keys_are_listed_and_sign() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("agent");
    let secret = SecretKey::from_seed([7; 32]);
    let listener = UnixListener::bind(&path).expect("a socket");
    tokio::spawn(serve(listener, secret.clone()));
    let agent = Agent::at(path);
    let key = secret.public();
    assert_eq!(agent.first().await.expect("one"), key);
    assert_eq!(agent.list().await.expect("one"), [key]);
    agent.require(&key).await.expect("held");
    let signature = agent.sign(&key, b"data").await.expect("signed");
    assert!(Claim { key, message: b"data".to_vec(), signature }.is_valid());
    let other = SecretKey::from_seed([8; 32]).public();
    let error = agent.require(&other).await.expect_err("not held").to_string();
    assert!(error.contains("ssh-add"), "{error}");
    assert!(agent.sign(&other, b"data").await.is_err());
}

#[tokio::test]
async fn no_agent_is_said_plainly() {
    let error = Agent::at("/nowhere/agent".into()).list().await.expect_err("none").to_string();
    assert!(error.contains("/nowhere/agent"), "{error}");
}

#[test]
fn malformed_lists_are_refused() {
    assert_eq!(parse_list(&[]), None);
    assert_eq!(parse_list(&[0, 0, 0, 1]), None);
    assert_eq!(parse_list(&[0xff; 40]), None);
    assert_eq!(parse_list(&[0; 4]), Some(Vec::new()));
}

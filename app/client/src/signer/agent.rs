//! The ssh-agent protocol, as far as signing needs it: list keys, sign with one.
//! <https://datatracker.ietf.org/doc/html/draft-ietf-sshm-ssh-agent>

use std::path::PathBuf;
use std::time::Duration;

use guts_schema::sshsig::{fingerprint, key_from_blob, key_to_blob, signature_from_blob};
use guts_schema::{Key, Signature};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::Error;

const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: u32 = 256 * 1024;
/// An agent may ask its user first.
const WAIT: Duration = Duration::from_secs(60);

fn wrong(why: &str) -> Error {
    Error::Key(format!("ssh-agent: {why}"))
}

/// An agent, asked anew for every request.
#[derive(Clone, Debug)]
pub struct Agent {
    socket: PathBuf,
}

impl Agent {
    /// The agent at `SSH_AUTH_SOCK`.
    pub fn here() -> Result<Self, Error> {
        let none = || wrong("SSH_AUTH_SOCK is not set: start one, then 'ssh-add'");
        let path = std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty());
        path.map(|path| Self::at(path.into())).ok_or_else(none)
    }

    /// The agent at a socket.
    pub fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// One request and its answer, whose first byte must be `kind`.
    async fn ask(&self, request: &[u8], kind: u8) -> Result<Vec<u8>, Error> {
        let path = &self.socket;
        let exchange = async {
            let mut stream = UnixStream::connect(path).await?;
            let length = u32::try_from(request.len()).map_err(std::io::Error::other)?;
            stream.write_all(&length.to_be_bytes()).await?;
            stream.write_all(request).await?;
            let length = stream.read_u32().await?;
            if length > ANSWER_BYTES_MAX {
                return Err(std::io::Error::other("the answer is too long"));
            }
            let mut answer = vec![0; length as usize];
            stream.read_exact(&mut answer).await?;
            Ok(answer)
        };
        let answer = tokio::time::timeout(WAIT, exchange).await;
        let answer = answer.map_err(|_| wrong("no answer in a minute"))?;
        let answer = answer.map_err(|error| wrong(&format!("{}: {error}", path.display())))?;
        match answer.split_first() {
            Some((first, rest)) if *first == kind => Ok(rest.to_vec()),
            _ => Err(wrong("it refused")),
        }
    }

    /// The ed25519 keys that the agent holds, in its order.
    pub async fn list(&self) -> Result<Vec<Key>, Error> {
        let answer = self.ask(&[REQUEST_IDENTITIES], IDENTITIES_ANSWER).await?;
        parse_list(&answer).ok_or_else(|| wrong("the list of keys is malformed"))
    }

    /// The first of them.
    pub async fn first(&self) -> Result<Key, Error> {
        let keys = self.list().await?;
        keys.into_iter().next().ok_or_else(|| {
            wrong("it holds no ed25519 key: make one with 'ssh-keygen -t ed25519', then 'ssh-add'")
        })
    }

    /// Refuses a key that the agent does not hold.
    pub async fn require(&self, key: &Key) -> Result<(), Error> {
        if self.list().await?.contains(key) {
            return Ok(());
        }
        let shown = fingerprint(key);
        Err(wrong(&format!("it does not hold {shown}: add its private key with 'ssh-add'")))
    }

    /// Signs `data`.
    pub async fn sign(&self, key: &Key, data: &[u8]) -> Result<Signature, Error> {
        let mut request = vec![SIGN_REQUEST];
        put(&mut request, &key_to_blob(key));
        put(&mut request, data);
        request.extend_from_slice(&0u32.to_be_bytes());
        let answer = self.ask(&request, SIGN_RESPONSE).await?;
        let blob = take(&mut &answer[..]).map(signature_from_blob);
        blob.and_then(Result::ok).ok_or_else(|| wrong("the signature is malformed"))
    }
}

fn parse_list(mut bytes: &[u8]) -> Option<Vec<Key>> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    bytes = rest;
    let mut keys = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let blob = take(&mut bytes)?;
        let _comment = take(&mut bytes)?;
        keys.extend(key_from_blob(blob).ok());
    }
    Some(keys)
}

fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u32).to_be_bytes());
    bytes.extend_from_slice(part);
}

fn take<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (part, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *bytes = rest;
    Some(part)
}

#[cfg(test)]
mod tests;

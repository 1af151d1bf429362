//! A request body on its way to git: decompressed if need be, and limited.

use std::io::Write;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use flate2::write::GzDecoder;
use futures::StreamExt;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use super::Refusal;

/// A body and how to read it.
pub(super) struct Input {
    body: Body,
    is_gzip: bool,
    most: u64,
}

impl Input {
    /// Looks at the headers; `most` bounds the bytes after decompression.
    pub(super) fn new(body: Body, headers: &HeaderMap, most: u64) -> Result<Self, Refusal> {
        let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes());
        let is_gzip = match encoding {
            None | Some(b"identity") => false,
            Some(b"gzip" | b"x-gzip") => true,
            Some(_) => {
                let text = "request bodies are plain or gzip";
                return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, text.into()));
            }
        };
        Ok(Self { body, is_gzip, most })
    }

    /// Feeds the body to a child. Whatever breaks off early just closes the child's input: git
    /// then ends with its own complaint. When it is git that has heard enough, the rest is read
    /// and dropped: a client whose request is not taken to its end may lose the answer.
    pub(super) async fn feed(self, stdin: ChildStdin) {
        let mut stdin = Some(stdin);
        let mut stream = self.body.into_data_stream();
        let mut decoder = self.is_gzip.then(|| GzDecoder::new(Vec::new()));
        let mut left = self.most;
        while let Some(Ok(part)) = stream.next().await {
            let part = match &mut decoder {
                Some(decoder) if stdin.is_some() => match inflate(decoder, &part, left) {
                    Some(plain) => plain,
                    None => return,
                },
                _ => part,
            };
            match left.checked_sub(part.len() as u64) {
                Some(rest) => left = rest,
                None => return,
            }
            if let Some(pipe) = &mut stdin
                && pipe.write_all(&part).await.is_err()
            {
                stdin = None;
            }
        }
        let (Some(mut decoder), Some(mut stdin)) = (decoder, stdin) else { return };
        if decoder.try_finish().is_ok() && decoder.get_ref().len() as u64 <= left {
            let _ = stdin.write_all(decoder.get_ref()).await;
        }
    }
}

/// Decompresses one part; none when it is not gzip or grows past `most`. Fed in small slices, so
/// that a bomb is noticed while it is small.
fn inflate(decoder: &mut GzDecoder<Vec<u8>>, part: &[u8], most: u64) -> Option<Bytes> {
    let mut plain = Vec::new();
    for slice in part.chunks(1024) {
        decoder.write_all(slice).ok()?;
        decoder.flush().ok()?;
        plain.append(decoder.get_mut());
        if plain.len() as u64 > most {
            return None;
        }
    }
    Some(plain.into())
}

#[cfg(test)]
mod tests;

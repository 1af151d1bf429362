//! A request body on its way to git: decompressed if need be, limited, and not waited for for ever.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use flate2::write::GzDecoder;
use futures::{StreamExt, TryFutureExt};
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{REQUEST_BYTES_MAX, REQUEST_S_MAX, REQUESTS_BYTES_MAX, Refusal, SMALL_BYTES};
use crate::child::Limits;

// A request is held whole, and permits are counted in 32 bits.
const _: () = assert!(
    SMALL_BYTES < REQUEST_BYTES_MAX
        && REQUEST_BYTES_MAX <= REQUESTS_BYTES_MAX
        && REQUESTS_BYTES_MAX <= u32::MAX as usize
);

/// A body and how to read it.
pub(super) struct Input {
    body: Body,
    is_gzip: bool,
    limits: Limits,
    /// What a body that is in memory takes of what all of them may.
    held: Vec<OwnedSemaphorePermit>,
}

impl Input {
    /// Looks at the headers; the limits are on bytes after decompression, and on silence.
    pub(super) fn new(body: Body, headers: &HeaderMap, limits: &Limits) -> Result<Self, Refusal> {
        let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes());
        let is_gzip = match encoding {
            None | Some(b"identity") => false,
            Some(b"gzip" | b"x-gzip") => true,
            Some(_) => {
                let text = "request bodies are plain or gzip";
                return Err(Refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, text.into()));
            }
        };
        Ok(Self { body, is_gzip, limits: *limits, held: Vec::new() })
    }

    /// Reads it all, as it came, into memory of which `room` is left: so nothing that others wait
    /// for is held for a client that is slow to ask.
    pub(super) async fn gathered(self, room: &Arc<Semaphore>) -> Result<Self, Refusal> {
        let Self { body, is_gzip, limits, .. } = self;
        let slow = || {
            let text = "the request came too slowly: try again";
            Refusal(StatusCode::REQUEST_TIMEOUT, text.into())
        };
        let gathering = gather(body, limits.silence_s, room).map_err(|end| match end {
            End::Silent => slow(),
            End::Broken => {
                Refusal(StatusCode::BAD_REQUEST, "the request broke off: try again".into())
            }
            End::Large => Refusal(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the request names too many objects: fetch fewer refs at a time".into(),
            ),
            End::Crowded => Refusal(
                StatusCode::SERVICE_UNAVAILABLE,
                "this gateway reads too many large requests: try again, or another gateway".into(),
            ),
        });
        let (bytes, held) = tokio::select! {
            gathered = gathering => gathered?,
            () = looks(REQUEST_S_MAX) => return Err(slow()),
        };
        Ok(Self { body: Body::from(bytes), is_gzip, limits, held })
    }

    /// Feeds the body to a child. Whatever breaks off early just closes the child's input: git
    /// then ends with its own complaint. When it is git that has heard enough, the rest is read
    /// and dropped: a client whose request is not taken to its end may lose the answer.
    pub(super) async fn feed(self, stdin: ChildStdin) {
        let Self { body, is_gzip, limits, held: _held } = self;
        let mut stdin = Some(stdin);
        let mut stream = body.into_data_stream();
        let mut decoder = is_gzip.then(|| GzDecoder::new(Vec::new()));
        let mut left = limits.input_bytes;
        loop {
            let part = match next(&mut stream, limits.silence_s).await {
                Ok(Some(part)) => part,
                Ok(None) => break,
                Err(End::Broken) => break,
                Err(_) => return,
            };
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

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing came for too long.
    Silent,
    /// The client is gone.
    Broken,
    /// It is longer than a request of its kind.
    Large,
    /// Others hold all the room there is.
    Crowded,
}

/// So many seconds, counted one by one: those in which this process was paused are not held
/// against a client.
async fn looks(seconds: u64) {
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The next part of a body, if it comes before the client was silent for too long.
async fn next(stream: &mut BodyDataStream, silence_s: u64) -> Result<Option<Bytes>, End> {
    tokio::select! {
        biased;
        part = stream.next() => part.transpose().map_err(|_| End::Broken),
        () = looks(silence_s) => Err(End::Silent),
    }
}

/// A whole body, and what it takes of the room.
async fn gather(
    body: Body,
    silence_s: u64,
    room: &Arc<Semaphore>,
) -> Result<(Vec<u8>, Vec<OwnedSemaphorePermit>), End> {
    let (mut bytes, mut held) = (Vec::new(), Vec::new());
    let mut paid = SMALL_BYTES;
    let mut stream = body.into_data_stream();
    while let Some(part) = next(&mut stream, silence_s).await? {
        let length = bytes.len().saturating_add(part.len());
        if length > REQUEST_BYTES_MAX {
            return Err(End::Large);
        }
        if length > paid {
            let more = u32::try_from(length.saturating_sub(paid)).map_err(|_| End::Large)?;
            let permit = room.clone().try_acquire_many_owned(more);
            held.push(permit.map_err(|_| End::Crowded)?);
            paid = length;
        }
        bytes.extend_from_slice(&part);
    }
    Ok((bytes, held))
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

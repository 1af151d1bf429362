//! A request body on its way to git: decompressed if need be, limited, and not waited for for ever.

use std::io::Write;
use std::net::IpAddr;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use flate2::write::GzDecoder;
use futures::{StreamExt, stream};
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;

use super::pace::{Pace, TooSlow};
use super::{REQUEST_BYTES_MAX, REQUEST_S_MAX, REQUESTS_BYTES_MAX, Refusal, SMALL_BYTES};
use crate::child::Limits;
use crate::pktline::Section;
use crate::shares::{Share, Shares};

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
    held: Vec<Share>,
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

    /// The limits on its client.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Reads it all, as it came, into memory of which `room` is left for the client at `address`:
    /// so nothing that others wait for is held for a client that is slow to ask.
    pub(super) async fn gathered(self, room: &Shares, address: IpAddr) -> Result<Self, Refusal> {
        self.read(room, address, None).await
    }

    /// As [`Input::gathered`], but of a push: its first section alone, which is its commands and
    /// its certificate. The pack may come as slowly as the limits say.
    pub(super) async fn headed(self, room: &Shares, address: IpAddr) -> Result<Self, Refusal> {
        self.read(room, address, Some(Section::default())).await
    }

    async fn read(
        self,
        room: &Shares,
        address: IpAddr,
        section: Option<Section>,
    ) -> Result<Self, Refusal> {
        let Self { body, is_gzip, limits, .. } = self;
        let mut gathering = Gathering {
            stream: body.into_data_stream(),
            pace: Pace::new(&limits),
            section,
            decoder: is_gzip.then(|| GzDecoder::new(Vec::new())),
            parts: Vec::new(),
            held: Vec::new(),
        };
        let ended = tokio::select! {
            ended = gathering.run(room, address) => ended,
            () = looks(REQUEST_S_MAX) => Err(End::Slow),
        };
        ended.map_err(|end| end.refusal())?;
        let Gathering { stream, parts, held, .. } = gathering;
        let body = Body::from_stream(stream::iter(parts.into_iter().map(Ok)).chain(stream));
        Ok(Self { body, is_gzip, limits, held })
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
        let mut pace = Pace::new(&limits);
        loop {
            let part = match next(&mut stream, &mut pace).await {
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
    /// Nothing came for too long, or too little.
    Slow,
    /// The client is gone.
    Broken,
    /// It is longer than a request of its kind.
    Large,
    /// Others hold all the room there is, or this client all that one may.
    Crowded,
}

impl End {
    fn refusal(self) -> Refusal {
        let (status, text) = match self {
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "the request came too slowly: try again"),
            Self::Broken => (StatusCode::BAD_REQUEST, "the request broke off: try again"),
            Self::Large => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "the request names too many refs or objects: take fewer refs at a time",
            ),
            Self::Crowded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "this gateway reads too many large requests: try again, or another gateway",
            ),
        };
        Refusal(status, text.into())
    }
}

/// So many seconds, counted one by one: those in which this process was paused are not held
/// against a client.
async fn looks(seconds: u64) {
    for _ in 0..seconds {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The next part of a body, if its client keeps up.
async fn next(stream: &mut BodyDataStream, pace: &mut Pace) -> Result<Option<Bytes>, End> {
    let part = pace.wait(stream.next()).await.map_err(|TooSlow| End::Slow)?;
    let part = part.transpose().map_err(|_| End::Broken)?;
    pace.count(part.as_ref().map_or(0, Bytes::len));
    Ok(part)
}

/// A body that is read into memory, to its end or to that of its first section.
struct Gathering {
    stream: BodyDataStream,
    pace: Pace,
    /// The section, as far as it was seen; none when all is wanted.
    section: Option<Section>,
    /// Of a compressed body: so much of it as the section needs.
    decoder: Option<GzDecoder<Vec<u8>>>,
    parts: Vec<Bytes>,
    /// What it takes of the room.
    held: Vec<Share>,
}

impl Gathering {
    async fn run(&mut self, room: &Shares, address: IpAddr) -> Result<(), End> {
        let (mut length, mut paid) = (0_usize, SMALL_BYTES);
        while let Some(part) = next(&mut self.stream, &mut self.pace).await? {
            length = length.saturating_add(part.len());
            if length > REQUEST_BYTES_MAX {
                return Err(End::Large);
            }
            if length > paid {
                let more = u32::try_from(length.saturating_sub(paid)).map_err(|_| End::Large)?;
                self.held.push(room.try_take(address, more).ok_or(End::Crowded)?);
                paid = length;
            }
            let is_over = self.sees_end(&part)?;
            self.parts.push(part);
            if is_over {
                break;
            }
        }
        Ok(())
    }

    /// Whether the section ends in this part. What is no section is git's to complain about.
    fn sees_end(&mut self, part: &Bytes) -> Result<bool, End> {
        let Some(section) = &mut self.section else { return Ok(false) };
        let Some(decoder) = &mut self.decoder else { return Ok(section.pass(part)) };
        match inflate(decoder, part, REQUEST_BYTES_MAX as u64) {
            Some(plain) => Ok(section.pass(&plain)),
            None => Err(End::Large),
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

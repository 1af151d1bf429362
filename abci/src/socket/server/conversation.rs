//! One connection: read what has arrived, answer what is whole, write once.

use std::io::{self, Read, Write};

use bytes::BytesMut;

use super::super::stream::Stream;
use super::super::turns::take_short_turns;
use super::host::Host;
use crate::application::CHECK_TXS_MAX;
use crate::codec::{Decoder, FrameError, encode, give_back};
use crate::proto::abci::request::Value;
use crate::proto::abci::{Request, RequestCheckTx, Response, ResponseException, response};
use crate::{Connection, Kind};

/// How much is read at once, in bytes: some [`CHECK_TXS_MAX`] transactions of a usual length.
const READ_BYTES: usize = 256 * 1024;

/// Answers are written when this much of them waits, in bytes, though more requests are at hand.
const WRITE_BYTES: usize = 32 * 1024;

/// Why a connection ended before its peer closed it.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The peer sent something that is not a request.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The peer is gone.
    #[error(transparent)]
    Socket(#[from] io::Error),
}

/// Answers one connection's requests until the peer closes it, or what it sends is no request.
pub fn hold(mut stream: Stream, host: &Host, decoder: Decoder) -> Result<(), End> {
    let mut input = BytesMut::new();
    let mut output = BytesMut::new();
    let mut chunk = vec![0_u8; READ_BYTES];
    let mut is_prompt = false;
    let mut most = 0;
    loop {
        most = most.max(input.len());
        let answered =
            answer_all(&mut input, &mut output, &mut stream, host, decoder, &mut is_prompt);
        give_back(&mut input, &mut most);
        if let Err(End::Frame(error)) = &answered {
            // The engine's log should say what was wrong with what it sent.
            encode(&exception(error.to_string()), &mut output);
        }
        write_out(&mut output, &mut stream)?;
        answered?;
        match stream.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => input.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Answers every whole request of `input`.
fn answer_all(
    input: &mut BytesMut,
    output: &mut BytesMut,
    stream: &mut Stream,
    host: &Host,
    decoder: Decoder,
    is_prompt: &mut bool,
) -> Result<(), End> {
    let mut checks = Vec::new();
    loop {
        let next = decoder.decode::<Request>(input);
        if let Ok(Some(Request { value: Some(Value::CheckTx(check)) })) = next {
            checks.push(check);
            if checks.len() == CHECK_TXS_MAX {
                answer_checks(&mut checks, output, stream, host)?;
            }
            continue;
        }
        answer_checks(&mut checks, output, stream, host)?;
        let Some(request) = next? else { return Ok(()) };
        let Some(request) = request.value else {
            encode(&exception("a request without a value".to_owned()), output);
            continue;
        };
        let connection = Kind::of_request(&request).connection();
        if connection == Connection::Query && !std::mem::replace(is_prompt, true) {
            // Whoever asks on this connection waits; on the others work is done.
            take_short_turns();
        }
        // A call that may take long does not hold back the answers before it.
        let is_long = connection == Connection::Consensus;
        if output.len() >= WRITE_BYTES || (is_long && !output.is_empty()) {
            write_out(output, stream)?;
        }
        let value = host.answer(request);
        encode(&Response { value: Some(value) }, output);
    }
}

/// Answers what waits to be checked.
fn answer_checks(
    checks: &mut Vec<RequestCheckTx>,
    output: &mut BytesMut,
    stream: &mut Stream,
    host: &Host,
) -> io::Result<()> {
    if checks.is_empty() {
        return Ok(());
    }
    if output.len() >= WRITE_BYTES {
        write_out(output, stream)?;
    }
    for value in host.answer_checks(std::mem::take(checks)) {
        encode(&Response { value: Some(value) }, output);
    }
    Ok(())
}

fn write_out(output: &mut BytesMut, stream: &mut Stream) -> io::Result<()> {
    if output.is_empty() {
        return Ok(());
    }
    let written = stream.write_all(output);
    if output.capacity() > 16 * WRITE_BYTES {
        // One long answer should not stay in memory for good.
        *output = BytesMut::new();
    }
    output.clear();
    written
}

/// The answer to what cannot be answered.
pub fn exception(error: String) -> Response {
    Response { value: Some(response::Value::Exception(ResponseException { error })) }
}

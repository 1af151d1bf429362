//! Lets quotation marks through in request lines: `GET /block?height="5"` is how CometBFT's own
//! documents show it and what curl sends, but hyper refuses a URI with a bare `"`.
//!
//! The first bytes after an answer was written (or of the connection) begin a request, if they look
//! like it: they may also be the rest of a body that was sent before the answer was read. They are
//! held back until the request line is whole, bare `"`, `<` and `>` in it are escaped, and hyper
//! sees it then; nothing else is touched.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A longer line is passed on as it is: hyper refuses it.
const LINE_BYTES_MAX: usize = 1 << 20;

/// How request lines with something to escape begin: with the methods that this server answers.
const BEGINNINGS: [&[u8]; 4] = [b"GET /", b"POST /", b"HEAD /", b"OPTIONS /"];

/// What is written before a body is asked for, and no answer.
const CONTINUE: &[u8] = b"HTTP/1.1 100 ";

/// Whether bytes that begin like this, or will, are a request line.
fn is_line(begun: &[u8]) -> bool {
    BEGINNINGS.iter().any(|line| line.starts_with(begun) || begun.starts_with(line))
}

/// A stream whose request lines may hold quotation marks.
#[derive(Debug)]
pub(super) struct Quotes<S> {
    inner: S,
    /// Whether the next bytes begin a request.
    is_start: bool,
    /// The beginning of a request line that came in pieces.
    line: Vec<u8>,
    /// Escaped bytes that did not fit, and how many of them are passed on.
    pending: Vec<u8>,
    passed: usize,
}

impl<S> Quotes<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner, is_start: true, line: Vec::new(), pending: Vec::new(), passed: 0 }
    }

    /// The stream itself, for another protocol, and what was read of it and not passed on.
    pub(super) fn into_inner(self) -> (S, Vec<u8>) {
        let mut held = self.pending;
        held.drain(..self.passed);
        held.extend_from_slice(&self.line);
        (self.inner, held)
    }

    fn pass_on(&mut self, to: &mut ReadBuf<'_>) {
        let rest = &self.pending[self.passed..];
        let len = rest.len().min(to.remaining());
        to.put_slice(&rest[..len]);
        self.passed += len;
        if self.passed == self.pending.len() {
            self.pending = Vec::new();
            self.passed = 0;
        }
    }
}

/// `bytes` with its request line escaped; none if there is nothing to escape.
fn escape(bytes: &[u8]) -> Option<Vec<u8>> {
    let line_end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = bytes.split_at(line_end);
    let is_bare = |byte: &u8| matches!(byte, b'"' | b'<' | b'>');
    if !line.iter().any(is_bare)
        || ![b" HTTP/1.1", b" HTTP/1.0"].iter().any(|end| line.ends_with(*end))
    {
        return None;
    }
    let path = line.iter().position(|byte| *byte == b' ')?;
    if line.get(path + 1) != Some(&b'/') {
        return None;
    }
    let mut out = Vec::with_capacity(bytes.len() + 64);
    for byte in line {
        match byte {
            b'"' => out.extend_from_slice(b"%22"),
            b'<' => out.extend_from_slice(b"%3C"),
            b'>' => out.extend_from_slice(b"%3E"),
            byte => out.push(*byte),
        }
    }
    out.extend_from_slice(rest);
    Some(out)
}

impl<S: AsyncRead + Unpin> AsyncRead for Quotes<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.pending.is_empty() {
            self.pass_on(to);
            return Poll::Ready(Ok(()));
        }
        let before = to.filled().len();
        loop {
            ready!(Pin::new(&mut self.inner).poll_read(cx, to))?;
            let read = &to.filled()[before..];
            if !self.is_start {
                return Poll::Ready(Ok(()));
            }
            let is_over =
                |read: &[u8]| !is_line(read) || read.windows(2).any(|pair| pair == b"\r\n");
            if self.line.is_empty() && is_over(read) {
                self.is_start = false;
                if let Some(escaped) = escape(read) {
                    to.set_filled(before);
                    self.pending = escaped;
                    self.pass_on(to);
                }
                return Poll::Ready(Ok(()));
            }
            let is_end = read.is_empty();
            self.line.extend_from_slice(read);
            to.set_filled(before);
            if is_over(&self.line) || is_end || self.line.len() > LINE_BYTES_MAX {
                self.is_start = false;
                let line = std::mem::take(&mut self.line);
                self.pending = escape(&line).unwrap_or(line);
                self.pass_on(to);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Quotes<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.is_start = !bytes.starts_with(CONTINUE);
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_start = !slices.iter().any(|bytes| bytes.starts_with(CONTINUE));
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    rest_of_write!();
}

#[cfg(test)]
mod tests;

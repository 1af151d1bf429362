//! A stream that does not wait for ever for its client to read.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Between two looks at a client that is waited for.
const LOOK: Duration = Duration::from_secs(1);

/// Bytes that a client must take, on average, in each second in which it is waited for. The
/// slowest of lines does better; a client that takes a byte now and then to keep its connection
/// does not.
const BYTES_PER_S_MIN: u64 = 1_024;

/// Fails writes when the client takes too little. Patience is a number of looks at a client that
/// is waited for. It is whole again each time that the client has taken [`BYTES_PER_S_MIN`] for
/// each of them, and at an end when the looks are used up before. Looks are counted, time is not
/// measured: a pause of this process is one look, and not the client's silence.
#[derive(Debug)]
pub(super) struct Patient<S> {
    inner: S,
    looks_max: u64,
    /// Since patience was whole.
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    look: Pin<Box<Sleep>>,
    looks: u64,
    taken: u64,
}

impl<S> Patient<S> {
    pub(super) fn new(inner: S, patience_s: u64) -> Self {
        Self { inner, looks_max: patience_s, waiting: None }
    }

    /// What came of a write, unless it has waited too long.
    fn judge(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(outcome) = written {
            if let (Ok(bytes), Some(waiting)) = (&outcome, &mut self.waiting) {
                waiting.taken = waiting.taken.saturating_add(*bytes as u64);
                if waiting.taken >= self.looks_max.saturating_mul(BYTES_PER_S_MIN) {
                    self.waiting = None;
                }
            }
            return Poll::Ready(outcome);
        }
        let Waiting { look, looks, .. } = self.waiting.get_or_insert_with(|| Waiting {
            look: Box::pin(sleep(LOOK)),
            looks: 0,
            taken: 0,
        });
        loop {
            ready!(look.as_mut().poll(cx));
            *looks += 1;
            if *looks >= self.looks_max {
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            look.as_mut().reset(Instant::now() + LOOK);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, to)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.judge(cx, written)
    }

    rest_of_write!();
}

#[cfg(test)]
mod tests;

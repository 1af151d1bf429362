//! How much a client must take.

use super::*;
use tokio::io::AsyncWriteExt;
use tokio::time::{Interval, interval, timeout};

/// Twenty times what the slowest of these tests takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// Takes a few bytes at a time, ten times a second.
struct Slow {
    takes: usize,
    turns: Interval,
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.turns.poll_tick(cx));
        Poll::Ready(Ok(bytes.len().min(self.takes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// What becomes of an answer to a client that takes so many bytes ten times a second, with a
/// patience of one second.
async fn answered(takes: usize, answer: usize) -> io::Result<()> {
    let slow = Slow { takes, turns: interval(Duration::from_millis(100)) };
    let mut patient = Patient::new(slow, 1);
    let writing = timeout(DEADLINE, async { patient.write_all(&vec![0; answer]).await });
    writing.await.expect("it ends, one way or the other")
}

#[tokio::test]
async fn a_byte_now_and_then_is_not_enough() {
    let ended = answered(1, 1 << 20).await;
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn a_slow_line_is_waited_for() {
    // Three seconds: longer than the patience.
    answered(2_048, 30 * 2_048).await.unwrap();
}
